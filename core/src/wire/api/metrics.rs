//! What happened in a window of time, in buckets (api.md 4, **Metrics**), and what was spent by whom (**Usage**). Rigs say
//! what their rows hold; the pages are made here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bead::{cost_usd, tokens};
use crate::id::RigId;
use crate::session::Tokens;
use crate::sorted::{SortedMap, sort_by_key};
use crate::text_enum;
use crate::time::Timestamp;

/// The longest window that rows are kept for.
pub const WINDOW_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// Points of one chart.
const BUCKETS_MAX: u64 = 1_500;

text_enum! {
    /// By what spend is told apart.
    pub enum SpentBy {
        Model = "model",
        Role = "role",
        Bead = "bead",
        Agent = "agent",
        Profile = "profile",
    }
}

/// The window and its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Its beginning, at a whole bucket.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Length of a bucket.
    pub bucket_ms: i64,
}

impl Window {
    /// The window that ends now, from texts such as `24h`, `7d`, `30m`; none when it cannot be drawn.
    pub fn ending(now: Timestamp, window: &str, bucket: &str) -> Option<Self> {
        let (window, bucket) = (span(window)?, span(bucket)?);
        if window > WINDOW_MAX || bucket.is_zero() || window < bucket {
            return None;
        }
        let (window_ms, bucket_ms) = (i64::try_from(window.as_millis()).ok()?, i64::try_from(bucket.as_millis()).ok()?);
        let is_drawable = u64::try_from(window_ms / bucket_ms).is_ok_and(|count| count <= BUCKETS_MAX);
        let first = (now.ms() - window_ms).div_euclid(bucket_ms) * bucket_ms;
        is_drawable.then_some(Self { from: Timestamp::from_ms(first), to: now, bucket_ms })
    }

    fn buckets(&self) -> usize {
        usize::try_from((self.to.ms() - self.from.ms()) / self.bucket_ms + 1).unwrap_or(0)
    }

    fn index(&self, at: Timestamp) -> Option<usize> {
        usize::try_from((at.ms() - self.from.ms()).div_euclid(self.bucket_ms)).ok().filter(|i| *i < self.buckets())
    }
}

fn span(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// How often something happened in a bucket of a rig.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    /// Number of the bucket.
    pub bucket: usize,
    /// Kind of the event.
    pub kind: String,
    /// What became of it, where that matters.
    pub new: String,
    /// How often.
    pub count: u32,
}

/// One assignment of the window, as charts need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Span {
    pub is_review: bool,
    pub queued_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub tokens_in: u64,
    pub tokens_out: u64,
    pub cost_micros: u64,
}

/// What one rig says of a window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RigFigures {
    /// Events by bucket and kind.
    pub happened: Vec<Happened>,
    /// Assignments that fall into it.
    pub spans: Vec<Span>,
}

/// **Metrics**.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Metrics {
    pub buckets: Vec<Bucket>,
    pub by_type: SortedMap<String, u32>,
    pub by_rig: SortedMap<String, u32>,
    pub durations: Durations,
}

/// One bucket.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Bucket {
    pub start: Option<Timestamp>,
    pub events: u32,
    pub beads_created: u32,
    pub beads_closed: u32,
    pub beads_failed: u32,
    pub dispatches: u32,
    pub start_failures: u32,
    pub lost: u32,
    pub merges: u32,
    pub reviews: u32,
    pub changes_requested: u32,
    pub tokens: Tokens,
    pub cost_usd: Option<f64>,
    pub agents_peak: u32,
    pub queue_peak: u32,
}

/// How long things took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Durations {
    pub queue_ms: Percentiles,
    pub work_ms: Percentiles,
    pub review_ms: Percentiles,
}

/// Half, and nearly all, took no longer; none when nothing ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Percentiles {
    pub p50: Option<i64>,
    pub p95: Option<i64>,
}

impl Metrics {
    /// The charts of a town from what its rigs say.
    pub fn of(window: Window, rigs: &[(RigId, RigFigures)]) -> Self {
        let start = |i: usize| {
            let ms = i64::try_from(i).unwrap_or(0) * window.bucket_ms;
            Some(Timestamp::from_ms(window.from.ms() + ms))
        };
        let mut buckets: Vec<Bucket> =
            (0..window.buckets()).map(|i| Bucket { start: start(i), ..Bucket::default() }).collect();
        let (mut by_type, mut by_rig) = (SortedMap::new(), SortedMap::new());
        for (rig_id, figures) in rigs {
            let mut of_rig = 0;
            for row in &figures.happened {
                of_rig += row.count;
                *by_type.get_or_insert_with(row.kind.clone(), || 0) += row.count;
                if let Some(bucket) = buckets.get_mut(row.bucket) {
                    bucket.count(row);
                }
            }
            by_rig.insert(rig_id.to_string(), of_rig);
        }
        let spans: Vec<Span> = rigs.iter().flat_map(|(_, figures)| figures.spans.iter().copied()).collect();
        spend(&mut buckets, window, &spans);
        peaks(&mut buckets, window, &spans);
        Self { buckets, by_type, by_rig, durations: Durations::of(&spans) }
    }
}

impl Bucket {
    fn count(&mut self, row: &Happened) {
        self.events += row.count;
        let field = match (row.kind.as_str(), row.new.as_str()) {
            ("created", _) => &mut self.beads_created,
            ("status_changed", "closed") => &mut self.beads_closed,
            ("status_changed", "failed") => &mut self.beads_failed,
            ("dispatched", _) => &mut self.dispatches,
            ("attempt_ended", "start_failed") => &mut self.start_failures,
            ("attempt_ended", "lost") => &mut self.lost,
            ("merged", _) => &mut self.merges,
            ("review_submitted", _) => &mut self.reviews,
            ("rework_requested", _) => &mut self.changes_requested,
            (_, _) => return,
        };
        *field += row.count;
    }
}

/// What an assignment spent counts where it ended, or now.
fn spend(buckets: &mut [Bucket], window: Window, spans: &[Span]) {
    let mut totals: SortedMap<usize, (u64, u64, u64)> = SortedMap::new();
    for span in spans {
        let Some(index) = window.index(span.ended_at.unwrap_or(window.to)) else { continue };
        let total = totals.get_or_insert_with(index, || (0, 0, 0));
        *total = (total.0 + span.tokens_in, total.1 + span.tokens_out, total.2 + span.cost_micros);
    }
    for (index, (tokens_in, tokens_out, micros)) in totals {
        if let Some(bucket) = buckets.get_mut(index) {
            bucket.tokens = tokens(tokens_in, tokens_out);
            bucket.cost_usd = cost_usd(micros);
        }
    }
}

/// The most that worked, and the most that waited, at any moment of a bucket: a step up or down at each instant.
fn peaks(buckets: &mut [Bucket], window: Window, spans: &[Span]) {
    let mut steps: Vec<(Timestamp, i32, i32)> = Vec::with_capacity(spans.len() * 3);
    for span in spans {
        steps.push((span.queued_at, 0, 1));
        if let Some(at) = span.started_at {
            steps.push((at, 1, -1));
        }
        if let Some(at) = span.ended_at {
            steps.push(if span.started_at.is_some() { (at, -1, 0) } else { (at, 0, -1) });
        }
    }
    sort_by_key(&mut steps, |step| step.0);
    let (mut agents, mut queue, mut next) = (0, 0, 0);
    for (index, bucket) in buckets.iter_mut().enumerate() {
        let end = window.from.ms() + (i64::try_from(index).unwrap_or(0) + 1) * window.bucket_ms;
        let (mut most_agents, mut most_queued) = (agents, queue);
        while let Some((_, works, waits)) = steps.get(next).filter(|step| step.0.ms() < end) {
            agents += works;
            queue += waits;
            (most_agents, most_queued) = (most_agents.max(agents), most_queued.max(queue));
            next += 1;
        }
        bucket.agents_peak = u32::try_from(most_agents).unwrap_or(0);
        bucket.queue_peak = u32::try_from(most_queued).unwrap_or(0);
    }
}

impl Durations {
    fn of(spans: &[Span]) -> Self {
        let queued = spans.iter().filter_map(|span| Some(span.started_at?.ms() - span.queued_at.ms()));
        let active = |is_review: bool| {
            let of_kind = spans.iter().filter(move |span| span.is_review == is_review);
            of_kind.filter_map(|span| Some(span.ended_at?.ms() - span.started_at?.ms())).collect()
        };
        Self {
            queue_ms: Percentiles::of(queued.collect()),
            work_ms: Percentiles::of(active(false)),
            review_ms: Percentiles::of(active(true)),
        }
    }
}

impl Percentiles {
    fn of(mut spans: Vec<i64>) -> Self {
        sort_by_key(&mut spans, |ms| *ms);
        let at = |percent: usize| spans.get((spans.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Self { p50: at(50), p95: at(95) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_ms(minute * MINUTE)
    }

    #[test]
    fn windows_are_bounded() {
        let now = at(1_000_000);
        let window = Window::ending(now, "24h", "30m").unwrap();
        assert_eq!((window.buckets(), window.bucket_ms), (49, 30 * MINUTE));
        for (window, bucket) in
            [("31d", "1d"), ("24h", "0m"), ("1h", "2h"), ("30d", "1m"), ("x", "1h"), ("24", "1h"), ("ä", "1h")]
        {
            assert_eq!(Window::ending(now, window, bucket), None, "{window} {bucket}");
        }
    }

    #[test]
    fn charts_count_spend_and_peaks() {
        let window = Window { from: at(0), to: at(29), bucket_ms: 10 * MINUTE };
        let happened = |bucket, kind: &str, new: &str, count| Happened {
            bucket,
            kind: kind.to_owned(),
            new: new.to_owned(),
            count,
        };
        let span = |queued, started: i64, ended: Option<i64>| Span {
            is_review: false,
            queued_at: at(queued),
            started_at: Some(at(started)),
            ended_at: ended.map(at),
            tokens_in: 10,
            tokens_out: 1,
            cost_micros: 500_000,
        };
        let figures = RigFigures {
            happened: vec![
                happened(0, "created", "", 2),
                happened(1, "status_changed", "closed", 1),
                happened(9, "merged", "", 1),
            ],
            spans: vec![span(1, 2, Some(15)), span(3, 5, Some(7)), span(22, 24, None)],
        };
        let metrics = Metrics::of(window, &[(RigId::from_u128(1), figures)]);
        let columns = |of: fn(&Bucket) -> u32| metrics.buckets.iter().map(of).collect::<Vec<_>>();
        assert_eq!(columns(|bucket| bucket.beads_created), [2, 0, 0]);
        assert_eq!(columns(|bucket| bucket.beads_closed), [0, 1, 0]);
        assert_eq!(columns(|bucket| bucket.agents_peak), [2, 1, 1]);
        assert_eq!(columns(|bucket| bucket.queue_peak), [1, 0, 1]);
        assert_eq!(metrics.buckets[0].cost_usd, Some(0.5));
        assert_eq!((metrics.by_type.get("merged"), metrics.by_rig.len()), (Some(&1), 1));
        assert_eq!(metrics.durations.work_ms, Percentiles { p50: Some(2 * MINUTE), p95: Some(13 * MINUTE) });
        assert_eq!(metrics.durations.review_ms, Percentiles::default());
    }
}
