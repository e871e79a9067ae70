//! What is in a message, whatever is wrong with it.

use complaint_notify::inbound::{Inbound, Limits, Unreadable};

use crate::read;

#[test]
fn text_is_read_in_every_form_it_comes_in() {
    let plain = |head: &str, body: &[u8]| [format!("From: a@example.org\r\n{head}\r\n\r\n").as_bytes(), body].concat();
    for (head, body, text) in [
        ("Subject: x", "Grüße".as_bytes(), "Grüße"),
        ("Content-Type: text/plain; charset=iso-8859-1", b"Gr\xfc\xdfe", "Grüße"),
        ("Content-Type: text/plain; charset=utf-8", b"Gr\xfc\xdfe", "Grüße"),
        ("Content-Type: text/plain; charset=nonsense", b"Gr\xfc\xdfe", "Grüße"),
        ("Content-Type: text/plain; charset=\"EUC-JP\"\r\nContent-Transfer-Encoding: base64", b"odjApLOm", "『世界"),
        ("Content-Transfer-Encoding: quoted-printable", b"Gr=C3=BC=C3=9Fe =\r\ndir", "Grüße dir"),
        // What does not decode stays as it is.
        ("Content-Transfer-Encoding: quoted-printable", b"1+1=2 \"=\" zz=zz", "1+1=2 \"=\" zz=zz"),
        ("Content-Transfer-Encoding: base64", b"?not base64", "?not base64"),
        ("Content-Transfer-Encoding: x-unknown", b"kept", "kept"),
        ("Content-Type: text/html", b"<p>a &amp; b</p><script>no()</script>", "a & b"),
        (
            "Content-Type: text/plain; format=flowed",
            b"one line \r\nof many\r\n> quoted \r\nmine",
            "one line of many\n> quoted \nmine",
        ),
        ("Content-Type: nonsense", b"kept", "kept"),
        ("Content-Type: multipart/mixed", b"no boundary", "no boundary"),
        ("Content-Type: multipart/mixed; boundary=b", b"it never comes", "it never comes"),
        ("Subject: y", b"a\0b\x07c\td", "a\u{fffd}b\u{fffd}c\td"),
        (
            "this line is none of a header",
            b"but the text goes on",
            "this line is none of a header\n\nbut the text goes on",
        ),
    ] {
        assert_eq!(read(&plain(head, body)).text(), text, "{head}");
    }
}

#[test]
fn of_two_versions_one_is_read_and_of_several_texts_all() {
    let raw = b"From: a@example.org\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n\
        This is a multi-part message in MIME format.\r\n\
        --m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
        --a\r\nContent-Type: text/plain\r\n\r\nplain\r\n\
        --a\r\nContent-Type: text/html\r\n\r\n<p>rich</p>\r\n--a--\r\n\
        --m\r\nContent-Type: text/html\r\n\r\n<p>footer</p>\r\n\
        --m\r\nContent-Type: image/png; name=\"=?utf-8?q?caf=C3=A9=2Epng?=\"\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n\
        --m\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=\"../../notes.txt\"\r\n\r\nenclosed\r\n\
        --m\r\nContent-Type: message/rfc822\r\n\r\nSubject: forwarded\r\n\r\ninner\r\n\
        --m--\r\nand after the end\r\n";
    let mail = read(raw);
    assert_eq!(mail.text(), "plain\n\nfooter\n\nand after the end");
    let files: Vec<(&str, &str, Vec<u8>)> =
        mail.attachments().iter().map(|it| (it.name(), it.media_type(), it.bytes().into_owned())).collect();
    assert_eq!(
        files,
        [
            ("café.png", "image/png", b"\x89PNG\r\n\x1a\n".to_vec()),
            ("notes.txt", "text/plain", b"enclosed".to_vec()),
            ("attachment-3.eml", "message/rfc822", b"Subject: forwarded\r\n\r\ninner".to_vec()),
        ]
    );
}

#[test]
fn who_wrote_is_one_address_or_nobody() {
    for (from, sender) in [
        ("From: \"Smith, John\" <John@Example.ORG>", Some("john@example.org")),
        ("From: john@example.org (John)", Some("john@example.org")),
        ("From: a@example.org, b@example.org", None),
        ("From: a@example.org\r\nFrom: b@example.org", None),
        ("From: \"b@evil.example\" <a@example.org>", Some("a@example.org")),
        ("From: <>", None),
        ("From: nobody", None),
        ("From: =?utf-8?q?a=40example=2Eorg?=", None),
        ("Reply-To: a@example.org\r\nSender: b@example.org", None),
        ("X: y", None),
    ] {
        let raw = format!("{from}\r\nSubject: x\r\n\r\nx");
        assert_eq!(read(raw.as_bytes()).sender(), sender, "{from}");
    }
}

#[test]
fn a_reference_in_the_subject_is_found() {
    for (subject, mentions) in [
        ("Re: [C7KQ-2M9X-B] Received", true),
        ("about c7kq2m9xb, again", true),
        ("=?utf-8?q?Antwort=3A_C7KQ-2M9X-B?=", true),
        ("C7KQ-2M9X-C", false),
        ("C7KQ 2M9X B", false),
        ("", false),
    ] {
        let raw = format!("From: a@example.org\r\nSubject: {subject}\r\n\r\nx");
        assert_eq!(read(raw.as_bytes()).mentions().is_some(), mentions, "{subject}");
    }
}

#[test]
fn copies_of_one_message_have_one_hash_and_no_others() {
    let message = |received: &str, id: &str, body: &str| {
        let raw =
            format!("Received: {received}\r\nFrom: a@example.org\r\nMessage-ID: {id}\r\nDate: today\r\n\r\n{body}");
        read(raw.as_bytes()).content_hash()
    };
    let one = message("one", "<1@example.org>", "text");
    assert_eq!(one, message("another way", "<1@example.org>", "text"));
    assert_ne!(one, message("one", "<2@example.org>", "text"));
    assert_ne!(one, message("one", "<1@example.org>", "text."));
}

#[test]
fn each_limit_is_exact() {
    let limits = Limits { size: 400, headers: 100, depth: 2, parts: 4, text: 20 };
    let try_to = |raw: &str| Inbound::read(raw.as_bytes(), &limits).map(|mail| mail.attachments().len());
    let message = |head: &str, body: &str| format!("{head}\n\n{body}");

    assert_eq!(try_to(" \r\n\t"), Err(Unreadable::Empty));
    assert_eq!(try_to(""), Err(Unreadable::Empty));
    let filled = |length: usize| "x".repeat(length);
    assert_eq!(try_to(&message("A: b", &filled(400 - 6))), Ok(1), "a long text is a file");
    assert_eq!(try_to(&message("A: b", &filled(400 - 5))), Err(Unreadable::TooLarge { max: 400 }));
    assert_eq!(try_to(&message("A: b", &filled(20))), Ok(0));
    assert_eq!(try_to(&message("A: b", &filled(21))), Ok(1));

    assert_eq!(try_to(&message(&format!("A: {}", filled(96)), "x")), Ok(0));
    assert_eq!(try_to(&message(&format!("A: {}", filled(97)), "x")), Err(Unreadable::HeadersTooLong { max: 100 }));
    let part = |length: usize| format!("--b\nA: {}\n\nx\n", filled(length));
    let parts =
        |one: usize, other: usize| message("Content-Type: multipart/mixed; boundary=b", &(part(one) + &part(other)));
    assert_eq!(try_to(&parts(45, 45)), Ok(0));
    assert_eq!(try_to(&parts(45, 51)), Err(Unreadable::HeadersTooLong { max: 100 }), "those of all parts together");

    let head = "Content-Type: multipart/mixed; boundary=b";
    assert_eq!(try_to(&message(head, "--b\nContent-Type: multipart/a; boundary=c\n\n--c\n\nx\n")), Ok(0));
    assert_eq!(
        try_to(&message(
            head,
            "--b\nContent-Type: multipart/a; boundary=c\n\n--c\nContent-Type: multipart/a; boundary=d\n\n"
        )),
        Err(Unreadable::TooDeep { max: 2 })
    );
    assert_eq!(try_to(&message(head, &"--b\n\nx\n".repeat(3))), Ok(0));
    assert_eq!(try_to(&message(head, &"--b\n\nx\n".repeat(4))), Err(Unreadable::TooManyParts { max: 4 }));
}

#[test]
fn boundaries_of_one_level_are_none_of_another() {
    // Each is the beginning of the next one, or its end mark.
    let raw = b"Content-Type: multipart/mixed; boundary=\"a--\"\n\n--a--\nContent-Type: multipart/mixed; boundary=\"a----\"\n\n\
        --a----\n\none\n--a------\n--a--\n\ntwo\n--ab\nthree\n--a----\nfour\n";
    assert_eq!(read(raw).text(), "one\n\ntwo\n--ab\nthree\n\nfour");
}
