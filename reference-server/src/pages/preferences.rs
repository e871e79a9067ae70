//! Which notices reach somebody, when, and in which language: the page for it.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use complaint_core::notice::{NoticeChannel, NoticeGroup, Preferences, PreferencesSpec};
use serde::Deserialize;

use super::form::{Choice, Control, Fault, Field, Summary, Typed, filled};
use super::{Answer, Me, Person, page, see};
use crate::auth::{AccountsError, Role};
use crate::extract::ApiQuery;
use crate::preferences::{self as chosen, read};
use crate::state::AppState;

/// `/account/notices`.
pub fn routes() -> Router<AppState> {
    Router::new().route("/account/notices", get(show).post(choose))
}

/// The languages that there are letters in, by tag, and what they call themselves.
const LANGUAGES: [(&str, &str); 3] =
    [("en", "English"), ("de", "Deutsch (some letters)"), ("ar", "العربية (some letters)")];

#[derive(Template)]
#[template(path = "public/preferences.html")]
struct PreferencesPage {
    me: Me,
    saved: bool,
    /// Of what the form shows.
    version: u64,
    summary: Summary,
    fields: Vec<Field>,
}

#[derive(Deserialize)]
struct SavedQuery {
    #[serde(default)]
    saved: String,
}

async fn show(State(state): State<AppState>, person: Person, ApiQuery(query): ApiQuery<SavedQuery>) -> Answer {
    form_page(&state, &person, StatusCode::OK, query.saved == "true", None, &[]).await
}

async fn choose(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    let switches = switches(person.0.role, state.texts.is_some());
    let names: Vec<String> = switches.iter().map(|(channel, group)| name_of(*channel, *group)).collect();
    typed.only(|name| {
        ["version", "zone", "language", "quiet_hours.from", "quiet_hours.to", "digest_at"].contains(&name)
            || names.iter().any(|known| known == name)
    })?;
    let seen = typed.machine::<u64>("version")?;
    let (_, before) = state.preferences.of(&person.0.id).await?;
    let mut off = Vec::new();
    for ((channel, group), name) in switches.iter().zip(&names) {
        if !typed.ticked(name)? {
            off.push((*channel, group.name()));
        }
    }
    // What this page does not show stays as it was.
    for (channel, group) in all_switches().filter(|switch| !switches.contains(switch)) {
        if before.is_off(group, channel) {
            off.push((channel, group.name()));
        }
    }
    let quiet = (typed.get("quiet_hours.from"), typed.get("quiet_hours.to"));
    let given = chosen::Typed {
        zone: typed.get("zone"),
        language: typed.get("language"),
        quiet_hours: match quiet {
            (None, None) => None,
            (from, to) => Some((from.unwrap_or_default(), to.unwrap_or_default())),
        },
        digest_at: typed.get("digest_at"),
        off,
    };
    let kept = match read(&given) {
        Ok(preferences) => state.preferences.keep(&person.0.id, Some(seen), &preferences).await,
        Err(wrong) => {
            let faults: Vec<Fault> = wrong.into_iter().map(|(field, _, said)| Fault::of(field, said)).collect();
            return form_page(&state, &person, StatusCode::UNPROCESSABLE_ENTITY, false, Some(&typed), &faults).await;
        }
    };
    match kept {
        Ok(_) => Ok(see("/account/notices?saved=true")),
        Err(AccountsError::Conflict { .. }) => {
            let fault =
                Fault::of("", "You changed this elsewhere meanwhile. Please look at it once more and save it again.");
            form_page(&state, &person, StatusCode::CONFLICT, false, Some(&typed), &[fault]).await
        }
        Err(error) => Err(error.into()),
    }
}

fn all_switches() -> impl Iterator<Item = (NoticeChannel, NoticeGroup)> {
    let channels = [NoticeChannel::Email, NoticeChannel::Sms];
    let all = channels.into_iter().flat_map(|channel| NoticeGroup::ALL.map(|group| (channel, group)));
    all.filter(|(channel, group)| group.can_be_switched_off(*channel))
}

/// What somebody in a role can switch, because they are ever told of it.
fn switches(role: Role, texts: bool) -> Vec<(NoticeChannel, NoticeGroup)> {
    let concerns = |group: NoticeGroup| match group {
        NoticeGroup::Receipts | NoticeGroup::Decisions | NoticeGroup::Handling => role == Role::Customer,
        NoticeGroup::Work | NoticeGroup::News => role == Role::Agent,
        // No text message tells a customer of a deadline.
        NoticeGroup::Deadlines => role == Role::Agent,
        NoticeGroup::Messages => matches!(role, Role::Customer | Role::Agent),
    };
    let shown =
        |(channel, group): &(NoticeChannel, NoticeGroup)| concerns(*group) && (texts || *channel != NoticeChannel::Sms);
    all_switches().filter(shown).collect()
}

fn name_of(channel: NoticeChannel, group: NoticeGroup) -> String {
    format!("{}.{}", channel.name(), group.name())
}

async fn form_page(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    saved: bool,
    typed: Option<&Typed>,
    faults: &[Fault],
) -> Answer {
    let (version, preferences) = state.preferences.of(&person.0.id).await?;
    let fields = filled(fields(person.0.role, state.texts.is_some(), &preferences), typed, faults);
    let summary = Summary::of(faults, &fields);
    let me = Me::of(&person.0, state, "").await;
    page(status, &PreferencesPage { me, saved, version, summary, fields })
}

fn fields(role: Role, texts: bool, preferences: &Preferences) -> Vec<Field> {
    let spec = PreferencesSpec::from(preferences.clone());
    let (from, to) = spec.quiet_hours.map(|it| (it.from, it.to)).unwrap_or_default();
    let language = spec.language.unwrap_or_default();
    let mut languages = vec![Choice::new("", "No choice: English", &language)];
    languages.extend(LANGUAGES.iter().map(|(tag, name)| Choice::new(tag, name, &language)));
    if languages.iter().all(|choice| !choice.chosen) {
        languages.push(Choice::new(&language, &language, &language));
    }
    let mut fields = vec![
        Field::new("language", "Language of letters", Control::Select(languages)).value(&language),
        Field::line("zone", "Time zone")
            .hint("A name such as Europe/Berlin or America/New_York. Letters give dates in it; without it, in UTC.")
            .max(100)
            .value(spec.zone.unwrap_or_default()),
    ];
    let time = |name: &str, label: &str, value: String| Field::new(name, label, Control::Line("time")).value(value);
    let quiet = vec![time("quiet_hours.from", "From", from), time("quiet_hours.to", "To", to)];
    let quiet = Field::new("quiet_hours", "Quiet hours", Control::Set(quiet))
        .hint("What can wait comes when they are over. Receipts, decisions and what is urgent come all the same.");
    fields.push(quiet);
    let switches = switches(role, texts);
    for (channel, label, hint) in [
        (NoticeChannel::Email, "By mail", "Everything else always comes by mail: decisions, dates, questions, work."),
        (NoticeChannel::Sms, "By text message", "They come beside the mail, which you get in any case."),
    ] {
        let ticks: Vec<Field> = switches
            .iter()
            .filter(|(by, _)| *by == channel)
            .map(|(by, group)| {
                let on = if preferences.is_off(*group, *by) { "" } else { "true" };
                Field::new(name_of(*by, *group), group.label(), Control::Tick(true)).value(on)
            })
            .collect();
        if !ticks.is_empty() {
            fields.push(Field::new(format!("off.{}", channel.name()), label, Control::Set(ticks)).hint(hint));
        }
        if channel == NoticeChannel::Email && switches.iter().any(|(by, _)| *by == channel) {
            let digest = time("digest_at", "Once a day, at", spec.digest_at.clone().unwrap_or_default());
            fields.push(digest.hint("What is ticked under “By mail” then comes as one letter. Empty: at once."));
        }
    }
    fields
}
