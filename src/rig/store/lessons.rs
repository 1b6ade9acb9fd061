//! Table `lessons`.

use gastown_core::id::BeadId;
use gastown_core::limits::LESSONS_MAX;
use gastown_core::rig::lesson::Lesson;
use serde::Deserialize;

use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json, text};

const SELECT_NEWEST: &str = "
    select bead_id, title, labels, files, summary, findings, outcome, at
    from lessons
    order by at desc
    limit ?";
const PUT: &str = "
    insert or replace into lessons (bead_id, title, labels, files, summary, findings, outcome, at)
    values (?, ?, ?, ?, ?, ?, ?, ?)";

#[derive(Deserialize)]
struct Row {
    bead_id: BeadId,
    title: String,
    labels: Json<Vec<String>>,
    files: Json<Vec<String>>,
    summary: String,
    findings: String,
    outcome: String,
    at: Ms,
}

/// What the rig remembers, newest first.
pub(super) fn newest(sql: &impl Sql) -> Result<Vec<Lesson>, SqlError> {
    let lesson = |row: Row| Lesson {
        bead_id: row.bead_id,
        title: row.title,
        labels: row.labels.0,
        files: row.files.0,
        summary: row.summary,
        findings: row.findings,
        outcome: row.outcome,
        at: row.at.0,
    };
    let limit = u32::try_from(LESSONS_MAX).unwrap_or(u32::MAX);
    Ok(sql.rows::<Row>(SELECT_NEWEST, &[limit.into()])?.into_iter().map(lesson).collect())
}

pub(super) fn put(sql: &impl Sql, lesson: &Lesson) -> Result<(), SqlError> {
    sql.run(
        PUT,
        &[
            text(lesson.bead_id),
            (&lesson.title).into(),
            json(&lesson.labels),
            json(&lesson.files),
            (&lesson.summary).into(),
            (&lesson.findings).into(),
            (&lesson.outcome).into(),
            lesson.at.into(),
        ],
    )
}
