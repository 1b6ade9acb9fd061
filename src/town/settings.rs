//! Settings of the town and its rigs: documents are patched and judged by `core::config`; secrets go to their own table
//! and never come back.

use gastown_core::sorted::SortedMap;
use std::rc::Rc;

use gastown_core::config::{
    ConfigRefusal, Editor, Offers, PatchContext, Patched, SecretChange, SecretMark, SecretName, effective_view,
    patch_rig, patch_town, rig_view, town_view as config_view,
};
use gastown_core::id::RigId;
use gastown_core::town::Command;
use gastown_core::town::state::State;
use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::Issue;
use serde_json::{Map, Value, json};

use super::calls::{self, ConfigView};
use super::handlers::no_rig;
use super::{Inner, store};
use crate::ambient;
use crate::catalogue::catalogue;
use crate::error::{Error, Refusal, Result};
use crate::sql::Sql;

pub(super) fn patch_config(inner: &Rc<Inner>, call: calls::PatchConfig) -> Result<ConfigView> {
    let (before, version, rigs, read_only) = inner.with_state(|state| {
        let rigs: Vec<RigId> = state.rigs.keys().copied().collect();
        (state.town.config.clone(), state.town.config_version, rigs, read_only(state))
    })?;
    check_version(call.if_version, version)?;
    let editor = if call.by_mayor { Editor::Mayor } else { Editor::Person };
    let context = patch_context(catalogue()?, editor, &rigs, &read_only);
    let Patched { config, secrets, warnings, changed } =
        patch_town(&before, &call.patch, &context).map_err(config_refusal)?;
    if !changed.is_empty() || !secrets.is_empty() {
        inner.sql.atomically(|| keep_secrets(inner, &secrets, &call.actor))?;
        let secrets_changed = !secrets.is_empty();
        let changes = values(&config_view(&before), &config_view(&config), &changed);
        inner.handle(Command::SetConfig { config: Box::new(config), secrets_changed, changed, actor: call.actor })?;
        store::audit::complete(&inner.sql, &changes, &call.request_id)?;
    }
    let view = inner.with_state(config_of)?;
    Ok(ConfigView { warnings: warnings.iter().map(warning).collect(), ..view })
}

pub(super) fn show_rig_config(inner: &Rc<Inner>, call: calls::ShowRigConfig) -> Result<ConfigView> {
    inner
        .with_state(|state| {
            let rig = state.rigs.get(&call.rig_id)?;
            let config = match call.effective {
                true => effective_view(&state.town.config, &rig.config),
                false => rig_view(&rig.config),
            };
            Some(ConfigView { config, version: rig.config_version, warnings: Vec::new() })
        })?
        .ok_or_else(no_rig)
}

pub(super) fn patch_rig_config(inner: &Rc<Inner>, call: calls::PatchRigConfig) -> Result<ConfigView> {
    let (town, rig, version, rigs) = inner
        .with_state(|state| {
            let rig = state.rigs.get(&call.rig_id)?;
            let rigs: Vec<RigId> = state.rigs.keys().copied().collect();
            Some((state.town.config.clone(), rig.config.clone(), rig.config_version, rigs))
        })?
        .ok_or_else(no_rig)?;
    check_version(call.if_version, version)?;
    let editor = if call.by_mayor { Editor::Mayor } else { Editor::Person };
    let empty = Map::new();
    let context = patch_context(catalogue()?, editor, &rigs, &empty);
    let Patched { config, warnings, changed, .. } =
        patch_rig(&rig, &town, &call.patch, &context).map_err(config_refusal)?;
    if !changed.is_empty() {
        let changes = values(&rig_view(&rig), &rig_view(&config), &changed);
        let (rig_id, actor) = (call.rig_id, call.actor);
        inner.handle(Command::SetRigConfig { rig_id, config: Box::new(config), changed, actor })?;
        store::audit::complete(&inner.sql, &changes, &call.request_id)?;
    }
    let view = show_rig_config(inner, calls::ShowRigConfig { rig_id: call.rig_id, effective: false })?;
    Ok(ConfigView { warnings: warnings.iter().map(warning).collect(), ..view })
}

/// What changed, by key: the old and the new value as the API shows them.
fn values(before: &Map<String, Value>, after: &Map<String, Value>, keys: &[String]) -> Map<String, Value> {
    let at = |document: &Map<String, Value>, key: &str| {
        let mut steps = key.split('.');
        let first = steps.next().and_then(|step| document.get(step));
        steps.fold(first, |value, step| value?.get(step)).cloned()
    };
    keys.iter().map(|key| (key.clone(), json!({ "old": at(before, key), "new": at(after, key) }))).collect()
}

/// The settings as the API shows them: the document, masked, with the keys that only we set.
pub(super) fn config_of(state: &State) -> ConfigView {
    let mut config = read_only(state);
    config.extend(config_view(&state.town.config));
    ConfigView { config, version: state.town.config_version, warnings: Vec::new() }
}

pub(super) fn read_only(state: &State) -> Map<String, Value> {
    let town = &state.town;
    let is_user = town.account_kind == gastown_core::town::state::AccountKind::User;
    let runtime_version: Option<u64> = None;
    [
        ("owner_type", json!(town.account_kind)),
        ("owner_id", json!(town.account_id)),
        ("owner_user_id", json!(is_user.then_some(&town.account_id))),
        ("organization_id", json!((!is_user).then_some(&town.account_id))),
        ("created_by_user_id", json!(town.created_by)),
        ("version", json!(town.config_version)),
        (
            "applied",
            json!({ "config_version": town.config_version, "runtime_version": runtime_version, "mayor": "unchanged", "error": null }),
        ),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

pub(super) fn patch_context<'a>(
    catalogue: &'a gastown_core::models::Catalogue,
    editor: Editor,
    rigs: &'a [RigId],
    read_only: &'a Map<String, Value>,
) -> PatchContext<'a> {
    static NONE: gastown_core::sorted::SortedSet<String> = gastown_core::sorted::SortedSet::new();
    PatchContext { editor, offers: Offers::default(), catalogue, known_models: &NONE, rigs, read_only }
}

pub(super) fn keep_secrets(
    inner: &Inner,
    changes: &[SecretChange],
    by: &str,
) -> std::result::Result<(), crate::sql::SqlError> {
    let updated_at = ambient::wall_now();
    for change in changes {
        match change {
            SecretChange::Set(name, value) => {
                let last4 = SecretMark::of(value.expose()).last4.unwrap_or_default();
                let (name, value, updated_by) = (name.to_string(), value.expose().to_owned(), by.to_owned());
                store::secrets::put(
                    &inner.sql,
                    &store::secrets::Secret { name, value, last4, updated_at, updated_by },
                )?;
            }
            SecretChange::Remove(name) => store::secrets::remove(&inner.sql, &name.to_string())?,
        }
    }
    Ok(())
}

pub(super) fn secret(inner: &Inner, name: &SecretName) -> Result<Option<String>> {
    Ok(store::secrets::get(&inner.sql, &name.to_string())?.map(|secret| secret.value))
}

/// The town's environment of agents' tools.
pub(super) fn environment(inner: &Inner) -> Result<SortedMap<String, String>> {
    let mut env = SortedMap::new();
    for secret in store::secrets::all(&inner.sql)? {
        if let Ok(SecretName::Env(name)) = secret.name.parse() {
            env.insert(name, secret.value);
        }
    }
    Ok(env)
}

pub(super) fn check_version(wanted: Option<u64>, present: u64) -> Result<()> {
    match wanted {
        Some(wanted) if wanted != present => {
            let details = json!({ "etag": format!("\"{present}\"") });
            Err(Refusal::new(Code::PreconditionFailed, "Somebody else changed it meanwhile").with(details).into())
        }
        Some(_) | None => Ok(()),
    }
}

pub(super) fn config_refusal(refused: ConfigRefusal) -> Error {
    let issues = refused
        .issues
        .iter()
        .map(|issue| Issue {
            code: issue.kind.as_str().parse().unwrap_or(gastown_core::wire::envelope::IssueCode::Custom),
            path: issue.path.clone(),
            message: issue.message.clone(),
        })
        .collect();
    let code = refused.code.as_str().parse().unwrap_or(Code::InvalidRequest);
    let message = refused.issues.first().map(|issue| issue.message.clone()).unwrap_or_default();
    Refusal { issues, ..Refusal::new(code, message) }.into()
}

pub(super) fn warning(warning: &gastown_core::config::ConfigWarning) -> gastown_core::wire::envelope::Warning {
    gastown_core::wire::envelope::Warning {
        code: warning.code.as_str().parse().unwrap_or(gastown_core::wire::envelope::WarningCode::IgnoredField),
        message: warning.message.clone(),
        path: None,
    }
}
