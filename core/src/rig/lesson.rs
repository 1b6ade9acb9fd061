//! Town memory (domain.md 10.6): what finished work leaves for later work on the same files. Lessons are written in the
//! commit that ends a bead and are no part of the live state: a shell reads them when an agent asks, and [`cite`] chooses.

use super::bead::{Bead, BeadOutcome, BeadType};
use super::plan::{Plan, Write};
use super::review::{Review, Verdict};
use super::triage;
use crate::id::BeadId;
use crate::limits::{LESSON_PATHS, LESSON_TEXT, PRIME_LESSONS, PRIME_LESSONS_CHARACTERS};
use crate::sorted::{SortedSet, sort_by_key};
use crate::text::cut;
use crate::time::Timestamp;

/// What a finished bead taught (domain.md 2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// The bead.
    pub bead_id: BeadId,
    /// Its title.
    pub title: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Paths that it changed.
    pub files: Vec<String>,
    /// What its author said, or why it failed.
    pub summary: String,
    /// What its reviews found.
    pub findings: String,
    /// `merged`, `done`, `no_change` or `failed`.
    pub outcome: String,
    /// When it ended.
    pub at: Timestamp,
}

/// What the work at hand is about, as far as lessons are concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    paths: SortedSet<String>,
    folders: SortedSet<String>,
    labels: SortedSet<String>,
}

impl Subject {
    /// The paths that a bead names in its text and in its metadata `files`, which hold the changes of its branch too.
    pub fn of(bead: &Bead) -> Self {
        let mut subject = Self::default();
        let text = format!("{} {}", bead.title, bead.body.as_deref().unwrap_or_default());
        let words = text.split(|c: char| c.is_whitespace() || "\"'`()[]{}<>,;:".contains(c));
        for word in words.map(|word| word.trim_start_matches("./").trim_end_matches(['.', '/'])) {
            if word.rsplit('/').next().is_some_and(|name| name.contains('.')) {
                subject.paths.insert(word.to_owned());
            } else if word.contains('/') {
                subject.folders.insert(word.to_owned());
            }
        }
        subject.paths.extend(files(bead));
        let parents: Vec<String> = subject.paths.iter().filter_map(|path| folder(path)).collect();
        subject.folders.extend(parents);
        subject.labels.extend(bead.labels.iter().filter(|label| is_free(label)).cloned());
        subject
    }

    /// 3 per shared path, 1 per shared folder, 2 per shared free label.
    fn score(&self, lesson: &Lesson) -> usize {
        let paths = lesson.files.iter().filter(|path| self.paths.contains(*path)).count();
        let of_lesson: SortedSet<String> = lesson.files.iter().filter_map(|path| folder(path)).collect();
        let folders = of_lesson.iter().filter(|folder| self.folders.contains(*folder)).count();
        let labels = lesson.labels.iter().filter(|label| is_free(label) && self.labels.contains(*label)).count();
        3 * paths + folders + 2 * labels
    }
}

/// The lessons that fit the work best, best first, newest first among equals; none that has nothing to do with it.
pub fn cite(lessons: Vec<Lesson>, subject: &Subject) -> Vec<Lesson> {
    let scored = lessons.into_iter().map(|lesson| (subject.score(&lesson), lesson));
    let mut fitting: Vec<(usize, Lesson)> = scored.filter(|(score, _)| *score > 0).collect();
    sort_by_key(&mut fitting, |(score, lesson)| std::cmp::Reverse((*score, lesson.at, lesson.bead_id)));
    let mut characters = 0;
    let best = fitting.into_iter().map(|(_, lesson)| lesson).take(PRIME_LESSONS);
    best.take_while(|lesson| {
        let length = |text: &str| text.chars().count();
        characters += length(&lesson.title) + length(&lesson.summary) + length(&lesson.findings);
        characters <= PRIME_LESSONS_CHARACTERS
    })
    .collect()
}

/// Leaves the lesson of a bead that has just ended. The answers to a review are part of what their root teaches, and
/// triage changes no files.
pub fn leave(plan: &mut Plan, bead_id: BeadId) {
    let Some(bead) = plan.state().beads.get(&bead_id).filter(|bead| bead.kind == BeadType::Issue).cloned() else {
        return;
    };
    let is_of_review = bead.parent_id.is_some_and(|parent| plan.state().reviews.contains_key(&parent));
    let Some(outcome) = taught(&bead).filter(|_| !is_of_review && !triage::is_batch(&bead)) else { return };
    let (summary, findings) = words(plan, &bead);
    let lesson = Lesson {
        bead_id,
        title: bead.title.clone(),
        labels: bead.labels.iter().cloned().collect(),
        files: files(&bead).take(LESSON_PATHS).collect(),
        summary: cut(&summary, LESSON_TEXT),
        findings: cut(&findings, LESSON_TEXT),
        outcome,
        at: plan.now(),
    };
    plan.write(Write::Lesson(Box::new(lesson)));
}

fn taught(bead: &Bead) -> Option<String> {
    match bead.outcome {
        Some(outcome @ (BeadOutcome::Merged | BeadOutcome::Done | BeadOutcome::NoChange)) => Some(outcome.to_string()),
        Some(BeadOutcome::ClosedByUser | BeadOutcome::Cancelled) => None,
        None => bead.failure.as_ref().map(|_| "failed".to_owned()),
    }
}

/// What its author said, or why it failed; and what its reviews found.
fn words(plan: &Plan, bead: &Bead) -> (String, String) {
    let state = plan.state();
    let reviews = state.reviews.values().filter(|review| review.source_id == Some(bead.bead_id));
    let review = reviews.max_by_key(|review| review.queued_at);
    let sessions = state.assignments.values().filter(|a| a.bead_id == bead.bead_id && a.summary.is_some());
    let of_session = sessions.max_by_key(|assignment| assignment.epoch).and_then(|a| a.summary.clone());
    let said = review.and_then(|review| review.summary.clone()).or(of_session);
    let failed = bead.failure.as_ref().map(|failure| failure.message.clone());
    let summary = failed.into_iter().chain(said).collect::<Vec<_>>().join("\n\n");
    (summary, review.map(|review| findings(plan, review)).unwrap_or_default())
}

fn findings(plan: &Plan, review: &Review) -> String {
    let key = review.bead_id;
    let rounds = plan.state().rounds.range((key, 0)..=(key, u32::MAX)).map(|(_, round)| round);
    let mut lines: Vec<&str> = Vec::new();
    for round in rounds.filter(|round| round.verdict != Verdict::Approve) {
        lines.extend([round.summary.as_str()].into_iter().chain(round.findings.iter().map(|f| f.message.as_str())));
    }
    lines.dedup();
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

fn files(bead: &Bead) -> impl Iterator<Item = String> {
    let files = bead.metadata.get("files").and_then(serde_json::Value::as_array);
    files.into_iter().flatten().filter_map(|file| file.as_str()).map(str::to_owned)
}

fn folder(path: &str) -> Option<String> {
    path.rsplit_once('/').map(|(folder, _)| folder.to_owned())
}

/// Labels that people chose; the system's say nothing about the work.
fn is_free(label: &str) -> bool {
    !["gt:", "severity:", "from:"].iter().any(|prefix| label.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lesson(n: u128, files: &[&str], summary: usize) -> Lesson {
        Lesson {
            bead_id: BeadId::from_u128(n),
            title: format!("lesson {n}"),
            labels: vec!["docs".to_owned(), "gt:rework".to_owned()],
            files: files.iter().map(|&file| file.to_owned()).collect(),
            summary: "x".repeat(summary),
            findings: String::new(),
            outcome: "merged".to_owned(),
            at: Timestamp::from_ms(i64::try_from(n).unwrap()),
        }
    }

    fn subject(body: &str, label: &str) -> Subject {
        let now = Timestamp::from_ms(0);
        let mut bead = Bead::new(BeadId::from_u128(99), BeadType::Issue, "Do it".to_owned(), "ann".to_owned(), now);
        bead.body = Some(body.to_owned());
        bead.labels.insert(label.to_owned());
        Subject::of(&bead)
    }

    fn cited(lessons: Vec<Lesson>, subject: &Subject) -> Vec<String> {
        cite(lessons, subject).into_iter().map(|lesson| lesson.title.replace("lesson ", "")).collect()
    }

    /// S112: of eight beads six share paths; the best five are cited.
    #[test]
    fn the_best_five_are_cited() {
        let mut lessons: Vec<Lesson> = (1..=5).map(|n| lesson(n, &["src/cart.rs"], 10)).collect();
        lessons.push(lesson(6, &["src/cart.rs", "src/total.rs"], 10));
        lessons.extend([lesson(7, &["web/page.ts"], 10), lesson(8, &[], 10)]);
        assert_eq!(
            cited(lessons, &subject("Mend `src/cart.rs`, see ./src/total.rs.", "bug")),
            ["6", "5", "4", "3", "2"]
        );
    }

    #[test]
    fn folders_and_free_labels_count_and_the_systems_labels_do_not() {
        let of = |label: &str| subject("Look into src/shop/ first", label);
        assert_eq!(cited(vec![lesson(1, &["src/shop/a.rs"], 1), lesson(2, &["src/b.rs"], 1)], &of("bug")), ["1"]);
        assert_eq!(cited(vec![lesson(1, &["src/shop/a.rs"], 1), lesson(2, &[], 1)], &of("docs")), ["1", "2"]);
        assert!(cited(vec![lesson(1, &["web/b.rs"], 1)], &of("gt:rework")).is_empty());
    }

    #[test]
    fn long_lessons_end_the_list() {
        let lessons = (1..=5).map(|n| lesson(n, &["a/b.rs"], 1_200)).collect();
        assert_eq!(cited(lessons, &subject("a/b.rs", "bug")).len(), 3);
    }
}
