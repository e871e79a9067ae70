//! Who gets a message, and what happens when some cannot.

use std::collections::BTreeSet;
use std::sync::Arc;

use complaint_core::deadline::ClockKind;
use complaint_core::id::{AgentId, CustomerId, Level};
use complaint_core::notice::{NoticeChannel, NoticeKind, Recipient};
use complaint_core::{Notifier, NotifyError};
use complaint_notify::{Addressee, ByChannel, EmailNotifier, IdsAreAddresses, MailFolder, Transport};
use mail_parser::MessageParser;

use crate::{Host, Still, Tray, customer, notice, notifier, settings};

fn level() -> Recipient {
    Recipient::Level { level: Level::new(2).unwrap(), down_to: Level::FIRST, except: BTreeSet::new() }
}

#[tokio::test]
async fn a_level_is_everybody_there_each_under_a_stable_id() {
    let tray = Tray::default();
    let mut host = Host::usual();
    let sample = notice(NoticeKind::ApprovalWanted, level());
    notifier(&tray, host.clone()).deliver(&sample).await.unwrap();
    let first: Vec<_> = tray.taken().iter().map(|mail| (mail.to().to_string(), mail.id().to_owned())).collect();
    assert_eq!(first.len(), 2);
    assert_ne!(first[0].1, first[1].1);
    for (_, id) in &first {
        assert!(id.starts_with(&format!("{}.", sample.id)));
    }
    // Somebody joins at the front, and one is listed twice: the others keep their ids.
    host.level.insert(0, Addressee::at("ben@example.com"));
    host.level.push(Addressee::at("omar@example.com"));
    notifier(&tray, host).deliver(&sample).await.unwrap();
    let second: Vec<_> = tray.taken().iter().map(|mail| (mail.to().to_string(), mail.id().to_owned())).collect();
    assert_eq!(second.len(), 3);
    assert_eq!(second[1..], first[..]);
}

#[tokio::test]
async fn one_who_cannot_be_reached_now_makes_the_notice_return() {
    let tray = Tray::default();
    tray.later.lock().unwrap().push("maria@example.com".to_owned());
    let sample = notice(NoticeKind::ApprovalWanted, level());
    let result = notifier(&tray, Host::usual()).deliver(&sample).await;
    assert!(matches!(result, Err(NotifyError::Later(_))), "{result:?}");
    // The others were not held up.
    assert_eq!(tray.taken().len(), 1);
}

#[tokio::test]
async fn a_broken_address_among_good_ones_is_no_dead_letter_but_alone_it_is() {
    let tray = Tray::default();
    let sample = notice(NoticeKind::ApprovalWanted, level());
    let mut host = Host::usual();
    host.level[0].email = Some("nonsense".to_owned());
    notifier(&tray, host.clone()).deliver(&sample).await.unwrap();
    assert_eq!(tray.taken().len(), 1);
    host.level.truncate(1);
    let result = notifier(&tray, host.clone()).deliver(&sample).await;
    assert!(matches!(result, Err(NotifyError::Never(_))), "{result:?}");
    (host.level, host.admins) = (Vec::new(), Vec::new());
    let result = notifier(&tray, host).deliver(&sample).await;
    assert!(matches!(&result, Err(NotifyError::Nobody(why)) if why.contains("level 2")), "{result:?}");
}

/// Of a level without anybody somebody must know. They read nothing that people wrote, and of what they are told anyway not twice.
#[tokio::test]
async fn where_nobody_works_at_a_level_the_admins_are_told() {
    let tray = Tray::default();
    let host = Host { level: Vec::new(), ..Host::usual() };
    let notifier = notifier(&tray, host);
    let sample = notice(NoticeKind::Missed(ClockKind::Remedy), level());
    notifier.deliver(&sample).await.unwrap();
    let mails = tray.taken();
    let to: Vec<_> = mails.iter().map(|mail| mail.to().to_string()).collect();
    assert_eq!(to, ["root@example.com"]);
    let message = MessageParser::default().parse(mails[0].bytes()).unwrap();
    let text = message.body_text(0).unwrap();
    assert!(text.contains(&sample.reference.to_string()), "{text}");
    for written in ["Toaster", "First line"] {
        assert!(!text.contains(written) && !message.subject().unwrap().contains(written), "{text}");
    }
    let told_anyway = notifier.deliver(&notice(NoticeKind::Unroutable, level())).await;
    assert!(matches!(told_anyway, Err(NotifyError::Nobody(_))), "{told_anyway:?}");
}

#[tokio::test]
async fn a_notice_on_a_channel_that_nobody_carries_is_not_called_delivered() {
    let tray = Tray::default();
    let mut sample = notice(NoticeKind::Received, customer());
    sample.channel = NoticeChannel::Sms;
    let result = notifier(&tray, Host::usual()).deliver(&sample).await;
    assert!(matches!(&result, Err(NotifyError::Never(why)) if why == "no text message leaves as e-mail"), "{result:?}");
    let by_mail_alone = ByChannel::new().carrying(NoticeChannel::Email, notifier(&tray, Host::usual()));
    let result = by_mail_alone.deliver(&sample).await;
    assert!(
        matches!(&result, Err(NotifyError::Never(why)) if why == "nobody carries notices by text message"),
        "{result:?}"
    );
    assert!(tray.taken().is_empty());
    sample.channel = NoticeChannel::Email;
    by_mail_alone.deliver(&sample).await.unwrap();
    assert_eq!(tray.taken().len(), 1);
}

#[tokio::test]
async fn ids_that_are_addresses_are_used_and_the_complaints_address_is_the_fallback() {
    let tray = Tray::default();
    let notifier = EmailNotifier::new(tray.clone(), IdsAreAddresses, settings(), Arc::new(Still));
    let mut sample = notice(NoticeKind::Received, Recipient::Customer(CustomerId::new("john@example.org").unwrap()));
    sample.address = Some("other@example.org".to_owned());
    notifier.deliver(&sample).await.unwrap();
    sample.recipient = Recipient::Customer(CustomerId::new("c-17").unwrap());
    notifier.deliver(&sample).await.unwrap();
    let to: Vec<_> = tray.taken().iter().map(|mail| mail.to().to_string()).collect();
    assert_eq!(to, ["john@example.org", "other@example.org"]);

    sample.address = None;
    let unknown = [sample.recipient.clone(), Recipient::Agent(AgentId::new("asha").unwrap()), level()];
    for recipient in unknown {
        // An address given by the customer must never receive what is meant for staff.
        sample.address = (!matches!(recipient, Recipient::Customer(_))).then(|| "other@example.org".to_owned());
        // Staff without an address are a fault of the house; that of others is nobody's.
        let of_staff = matches!(recipient, Recipient::Agent(_));
        sample.recipient = recipient;
        let result = notifier.deliver(&sample).await;
        assert!(
            matches!((&result, of_staff), (Err(NotifyError::Never(_)), true) | (Err(NotifyError::Nobody(_)), false)),
            "{result:?}"
        );
    }
    assert!(tray.taken().is_empty());
}

#[tokio::test]
async fn an_address_that_was_only_typed_is_not_written_to_where_known_people_only_are() {
    let tray = Tray::default();
    let mut sample = notice(NoticeKind::Received, customer());
    sample.address = Some("stranger@example.org".to_owned());
    let strict = notifier(&tray, Host::default()).only_known_people();
    let result = strict.deliver(&sample).await;
    let wanted = "no confirmed e-mail address is known for customer c-1";
    assert!(matches!(&result, Err(NotifyError::Nobody(why)) if why == wanted), "{result:?}");
    assert!(tray.taken().is_empty());
    notifier(&tray, Host::usual()).only_known_people().deliver(&sample).await.unwrap();
    let to: Vec<_> = tray.taken().iter().map(|mail| mail.to().to_string()).collect();
    assert_eq!(to, ["john@example.org"]);
}

#[tokio::test]
async fn the_folder_holds_whole_messages_that_sort_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data").join("mail");
    let transport = Transport::from_config(None, &path).unwrap();
    let notifier = EmailNotifier::new(transport, Host::usual(), settings(), Arc::new(Still));
    let mut later = notice(NoticeKind::Decision, customer());
    later.id = complaint_core::id::NoticeId::from_uuid(uuid::Uuid::from_u128(1));
    later.planned_at = crate::instant("2026-12-01T00:00:00Z");
    let earlier = notice(NoticeKind::Received, customer());
    notifier.deliver(&later).await.unwrap();
    notifier.deliver(&earlier).await.unwrap();
    // A repeat overwrites its own file.
    notifier.deliver(&earlier).await.unwrap();

    let mut names: Vec<String> =
        std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(
        names,
        [format!("00001795253400000123-{}.eml", earlier.id), format!("00001796083200000000-{}.eml", later.id),]
    );
    let bytes = std::fs::read(path.join(&names[0])).unwrap();
    let message = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(message.message_id(), Some(format!("{}@example.com", earlier.id).as_str()));
    assert!(message.body_html(0).unwrap().trim_end().ends_with("</html>"));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_tried_again_later() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mail");
    std::fs::write(&file, "not a folder").unwrap();
    let notifier = EmailNotifier::new(MailFolder::new(&file), Host::usual(), settings(), Arc::new(Still));
    let result = notifier.deliver(&notice(NoticeKind::Received, customer())).await;
    assert!(matches!(result, Err(NotifyError::Later(_))), "{result:?}");
}
