//! From a complaint to a rating in twenty-five lines: the core, a SQLite file and a mail folder inside any program.
//!
//! Run it with `cargo run --example quickstart`. It leaves `complaints.db` and a folder `mail` behind: look at both.

use std::sync::Arc;

use complaint_core::{Actor, Agent, Complaint, Desk, Policy, Rating, Remedy, Resolution};
use complaint_core::{clock::SystemClock, policy::Category};
use complaint_notify::{EmailNotifier, IdsAreAddresses, Settings, Transport};
use complaint_store_sqlx::SqliteStore;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // README: begin
    let store = SqliteStore::open("sqlite:complaints.db").await?;
    store.migrate().await?;
    let sender = Settings::new("City Water <water@example.org>", "https://water.example.org", "City Water")?;
    let mail = Transport::from_config(None, "mail")?; // or Some("smtps://user:password@mail.example.org")
    let email = EmailNotifier::new(mail, IdsAreAddresses, sender, Arc::new(SystemClock));
    let policy = Policy::standard().with_category(Category::named("Water supply")?);
    let desk = Desk::new(store, policy).notifying(email);

    let asha = Agent::named("asha@example.org", "Asha Rao")?.skilled_in(["water supply"]).with_capacity(12);
    let asha = desk.enrol(asha).await?;
    let john = desk.acting_as(Actor::customer("john@example.org")?);

    let complaint = Complaint::about("Water supply", "No water since Monday", "All of Canal Street.")?;
    let receipt = john.submit(complaint).await?;
    println!("{} is {}", receipt.reference(), receipt.complaint().status); // C7KQ-2M9X-B is assigned: Asha has it

    let asha = desk.acting_as(Actor::agent(&asha));
    asha.begin(receipt.id()).await?;
    let resolution = Resolution::upheld("Valve 14 was stuck; it has been replaced.").apologising();
    asha.resolve(receipt.id(), resolution.with(Remedy::refund("12.50 EUR")?)).await?;
    john.rate(receipt.id(), Rating::FIVE, "Quick and kind.").await?;

    let swept = desk.sweep().await?; // from a timer: route, warn, escalate, close, deliver. Safe to repeat.
    // README: end
    println!("{} mails are in the folder mail", swept.delivered);
    Ok(())
}
