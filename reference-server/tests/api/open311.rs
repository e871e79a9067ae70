//! Open311 as a reporting app and FixMyStreet speak it: what is answered in both formats, who may see what, every wrong key.

use axum::http::Method;
use chrono::TimeDelta;
use quick_xml::events::Event;
use serde_json::{Value, json};

use crate::house::House;
use crate::support::{Answer, Harness, With};

/// The key an account's program sends.
fn key(who: &With) -> &str {
    who.bearer.as_deref().expect("a token")
}

async fn send(it: &Harness, path: &str, fields: &[(&str, &str)], with: &With) -> Answer {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let kind = Some("application/x-www-form-urlencoded; charset=utf-8");
    it.send(Method::POST, &format!("/open311/v2/{path}"), kind, form.into_bytes(), with).await
}

async fn get(it: &Harness, path: &str, who: &With) -> Answer {
    it.get(&format!("/open311/v2/{path}"), who).await
}

/// What stands in an XML document, each text with the elements around it.
fn texts(document: &str) -> Vec<(String, String)> {
    assert!(document.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?>"), "{document}");
    let (mut reader, mut path, mut found) = (quick_xml::Reader::from_str(document), Vec::new(), Vec::new());
    let (mut text, mut has_parts) = (String::new(), false);
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(start) => {
                path.push(start.name().as_ref().to_owned());
                (text, has_parts) = (String::new(), false);
            }
            Event::Text(part) => text.push_str(&part),
            Event::GeneralRef(entity) => {
                text.push_str(quick_xml::escape::resolve_predefined_entity(&entity).expect("an entity of XML"));
            }
            Event::Empty(empty) => {
                found.push((format!("{}/{}", path.join("/"), empty.name().as_ref()), String::new()));
                has_parts = true;
            }
            Event::End(_) => {
                if !has_parts {
                    found.push((path.join("/"), std::mem::take(&mut text)));
                }
                path.pop();
                has_parts = true;
            }
            Event::Eof => return found,
            _ => {}
        }
    }
}

/// Every value in a JSON document.
fn values(document: &Value) -> Vec<String> {
    match document {
        Value::Object(members) => members.values().flat_map(values).collect(),
        Value::Array(items) => items.iter().flat_map(values).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Null => vec![String::new()],
        other => vec![other.to_string()],
    }
}

/// The JSON that is answered, after seeing that the XML says the same.
async fn both(it: &Harness, path: &str, query: &str, who: &With) -> Value {
    let json = get(it, &format!("{path}.json{query}"), who).await;
    assert_eq!(
        (json.status.as_u16(), json.header("content-type")),
        (200, "application/json; charset=utf-8"),
        "{}",
        json.text
    );
    let xml = get(it, &format!("{path}.xml{query}"), who).await;
    assert_eq!((xml.status.as_u16(), xml.header("content-type")), (200, "text/xml; charset=utf-8"), "{}", xml.text);
    let (mut in_xml, mut in_json): (Vec<String>, _) =
        (texts(&xml.text).into_iter().map(|(_, text)| text).collect(), values(&json.json()));
    in_xml.sort();
    in_json.sort();
    // A list without items is one empty element.
    in_xml.retain(|text| !text.is_empty());
    in_json.retain(|text| !text.is_empty());
    assert_eq!(in_xml, in_json, "{} {}", xml.text, json.text);
    json.json()
}

/// The descriptions of errors, after seeing that both formats have the form of the specification and this status.
async fn refusals(
    it: &Harness,
    method: &Method,
    path: &str,
    query: &str,
    fields: &[(&str, &str)],
    status: u16,
) -> String {
    let mut said = Vec::new();
    for format in ["json", "xml"] {
        let path = format!("{path}.{format}{query}");
        let answer = if *method == Method::POST {
            send(it, &path, fields, &With::default()).await
        } else {
            get(it, &path, &With::default()).await
        };
        assert_eq!(answer.status.as_u16(), status, "{path} {fields:?}: {}", answer.text);
        let errors: Vec<(String, String)> = if format == "json" {
            let errors = answer.json().as_array().cloned().expect("a list");
            errors
                .iter()
                .map(|error| (error["code"].to_string(), error["description"].as_str().expect("text").to_owned()))
                .collect()
        } else {
            let texts = texts(&answer.text);
            assert!(texts.iter().all(|(path, _)| path.starts_with("errors/error/")), "{}", answer.text);
            texts.chunks(2).map(|pair| (pair[0].1.clone(), pair[1].1.clone())).collect()
        };
        assert!(!errors.is_empty() && errors.iter().all(|(code, _)| *code == status.to_string()), "{}", answer.text);
        said.push(errors.into_iter().map(|(_, description)| description).collect::<Vec<_>>().join("\n"));
    }
    assert_eq!(said[0], said[1]);
    said.remove(0)
}

fn pit() -> Vec<(&'static str, &'static str)> {
    vec![
        ("jurisdiction_id", "city.example"),
        ("service_code", "damaged-goods"),
        ("lat", "51.5074"),
        ("long", "-0.1278"),
        ("address_string", "12 Canal Street, Riverton"),
        ("email", "rita@example.net"),
        ("first_name", "Rita"),
        ("last_name", "Reporter"),
        ("phone", "+44 20 7946 0042"),
        ("description", "A <deep> pit & a \"hole\"\nIn front of the school."),
        ("media_url", "https://photos.example.net/7.jpg"),
        ("device_id", "d-1"),
        ("account_id", "a-1"),
    ]
}

fn with_key<'f>(fields: &[(&'f str, &'f str)], key: &'f str) -> Vec<(&'f str, &'f str)> {
    fields.iter().copied().chain([("api_key", key)]).collect()
}

/// John's app reports the pit; gives the number.
async fn reported(house: &House) -> String {
    let made = send(&house.it, "requests.json", &with_key(&pit(), key(&house.john)), &With::default()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let number = made.json()[0]["service_request_id"].as_str().expect("a number").to_owned();
    assert_eq!(made.header("location"), format!("/open311/v2/requests/{number}.json"));
    number
}

#[tokio::test]
async fn the_catalogue_is_open_to_everybody() {
    let house = House::new().await;
    let questions =
        json!([{"label": "Serial number", "required": true}, {"key": "colour", "label": "Colour & <shade>"}]);
    let category = json!({"name": "Street lights", "description": "Dark & <broken>", "questions": questions});
    assert_eq!(house.it.post_with("/api/v1/categories", category, &house.admin).await.status, 201);
    let off = house.it.patch("/api/v1/categories/late-delivery", json!({"active": false}), &house.admin).await;
    assert_eq!(off.status, 200);
    let nobody = With::default();

    let discovery = both(&house.it, "discovery", "?jurisdiction_id=city.example", &nobody).await;
    let endpoint = &discovery["endpoints"][0];
    assert_eq!(endpoint["url"], "http://127.0.0.1:8080/open311/v2");
    assert_eq!(endpoint["formats"], json!(["text/xml", "application/json"]));
    assert_eq!(endpoint["specification"], "http://wiki.open311.org/GeoReport_v2");

    let services = both(&house.it, "services", "", &nobody).await;
    let codes: Vec<_> =
        services.as_array().expect("a list").iter().map(|it| (&it["service_code"], &it["metadata"])).collect();
    assert_eq!(codes, [(&json!("damaged-goods"), &json!(false)), (&json!("street-lights"), &json!(true))]);
    assert_eq!((&services[1]["description"], &services[1]["type"]), (&json!("Dark & <broken>"), &json!("realtime")));

    let definition = both(&house.it, "services/street-lights", "", &nobody).await;
    let attributes = definition["attributes"].as_array().expect("a list");
    let shown: Vec<_> =
        attributes.iter().map(|it| (&it["code"], &it["required"], &it["order"], &it["description"])).collect();
    assert_eq!(
        shown,
        [
            (&json!("serial-number"), &json!(true), &json!(1), &json!("Serial number")),
            (&json!("colour"), &json!(false), &json!(2), &json!("Colour & <shade>")),
        ]
    );
    let none = both(&house.it, "services/damaged-goods", "", &nobody).await;
    assert_eq!(none, json!({"service_code": "damaged-goods", "attributes": []}));

    let sent = |answers: &[(&'static str, &'static str)]| {
        let mut fields = with_key(&pit(), key(&house.john));
        fields.retain(|(name, _)| *name != "service_code");
        fields.extend([("service_code", "street-lights")]);
        fields.extend(answers);
        let fields: Vec<(String, String)> = fields.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        fields
    };
    for (answers, wanted) in [
        (&[][..], "attribute[serial-number]: `Serial number` must be answered"),
        (
            &[("attribute[serial-number]", "7"), ("attribute[size]", "3")][..],
            "attribute[size]: is no question of this category",
        ),
    ] {
        let fields = sent(answers);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let said = refusals(&house.it, &Method::POST, "requests", "", &fields, 400).await;
        assert_eq!(said, wanted);
    }
    let fields = sent(&[("attribute[serial-number]", "L-7"), ("attribute[colour]", "")]);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let made = send(&house.it, "requests.json", &fields, &With::default()).await;
    let number = made.json()[0]["service_request_id"].as_str().expect("a number").to_owned();
    let complaint = house.read(&format!("/api/v1/complaints/{number}"), &house.john).await;
    assert_eq!(complaint["answers"], json!({"serial-number": "L-7"}));
}

#[tokio::test]
async fn a_report_becomes_a_complaint_and_is_read_again() {
    let house = House::new().await;
    let number = reported(&house).await;
    let complaint = house.read(&format!("/api/v1/complaints/{number}"), &house.john).await;
    assert_eq!(complaint["channel"], "open311");
    assert_eq!(complaint["subject"], "A <deep> pit & a \"hole\"");
    assert_eq!(complaint["description"], pit()[9].1);
    let contact = json!({"name": "Rita Reporter", "email": "rita@example.net", "phone": "+44 20 7946 0042"});
    assert_eq!(complaint["contact"], contact);
    assert_eq!(complaint["items"].as_array().map(Vec::len), Some(4), "{complaint}");
    house.done(&format!("/api/v1/complaints/{number}"), "note", json!({"text": "A secret note."}), &house.sarah).await;

    let path = format!("requests/{number}");
    for who in [&house.john, &house.sarah, &house.omar] {
        let shown = both(&house.it, &path, "", who).await;
        let request = &shown[0];
        assert_eq!((&request["status"], &request["service_name"]), (&json!("open"), &json!("Damaged goods")));
        assert_eq!(request["requested_datetime"], "2026-03-02T09:00:00Z");
        let promised: chrono::DateTime<chrono::Utc> =
            complaint["promised_at"].as_str().expect("an instant").parse().expect("an instant");
        let expected = request["expected_datetime"].as_str().expect("an instant");
        assert_eq!(expected.parse::<chrono::DateTime<chrono::Utc>>().expect("an instant"), promised);
        assert_eq!((&request["lat"], &request["long"]), (&json!(51.5074), &json!(-0.1278)));
        assert_eq!((&request["address"], &request["address_id"]), (&json!(pit()[4].1), &Value::Null));
        assert_eq!((&request["description"], &request["media_url"]), (&json!(pit()[9].1), &json!(pit()[10].1)));
        let text = shown.to_string();
        for hidden in ["secret", "Rita", "rita@", "7946", "Sarah"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        let by_key = get(&house.it, &format!("{path}.json?api_key={}", key(who)), &With::default()).await;
        assert_eq!(by_key.json(), shown);
    }
    // What is somebody else's is not there; an admin reads no words.
    let query = format!("?api_key={}", key(&house.jane));
    let foreign = refusals(&house.it, &Method::GET, &path, &query, &[], 404).await;
    let made_up = refusals(&house.it, &Method::GET, "requests/C7KQ-2M9X-B", &query, &[], 404).await;
    assert_eq!(foreign, made_up);
    let shown = both(&house.it, &path, "", &house.admin).await;
    assert_eq!((&shown[0]["status"], &shown[0]["description"]), (&json!("open"), &Value::Null));

    let id = complaint["id"].as_str().expect("an id");
    let token = both(&house.it, &format!("tokens/{id}"), "", &house.john).await;
    assert_eq!(token, json!([{"service_request_id": number, "token": id}]));
    refusals(&house.it, &Method::GET, &format!("tokens/{id}"), &query, &[], 404).await;
    refusals(&house.it, &Method::GET, "tokens/12345", &query, &[], 404).await;
}

#[tokio::test]
async fn a_session_is_no_key_and_without_one_nothing_personal_is_shown() {
    let house = House::new().await;
    let number = reported(&house).await;
    let in_browser = With::cookie(&house.it.log_in("john@example.org").await.cookie());
    for path in [
        "requests.json".to_owned(),
        format!("requests/{number}.xml"),
        format!("tokens/{number}.json"),
        "servicerequestupdates.xml".to_owned(),
    ] {
        for who in [&With::default(), &in_browser, &With::bearer("cpl_unknown")] {
            assert_eq!(get(&house.it, &path, who).await.status, 403, "{path}");
        }
    }
    for path in ["requests", "servicerequestupdates"] {
        let said = refusals(&house.it, &Method::POST, path, "", &pit(), 403).await;
        assert!(said.starts_with("api_key: An API token is needed"), "{said}");
        let said = refusals(&house.it, &Method::POST, path, "", &with_key(&pit(), "cpl_unknown"), 403).await;
        assert_eq!(said, "api_key: This key is unknown, revoked or expired.");
        assert_eq!(send(&house.it, &format!("{path}.json"), &pit(), &in_browser).await.status, 403);
    }

    let open = House::over(Harness::with_args(|args| args.open311_public = true).await).await;
    let number = reported(&open).await;
    let nobody = With::default();
    let list = both(&open.it, "requests", "", &nobody).await;
    assert_eq!(list, both(&open.it, &format!("requests/{number}"), "", &nobody).await);
    let known: Vec<&str> = list[0]
        .as_object()
        .expect("fields")
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, _)| name.as_str())
        .collect();
    let mut public = [
        "service_request_id",
        "status",
        "status_notes",
        "service_name",
        "service_code",
        "requested_datetime",
        "updated_datetime",
        "expected_datetime",
    ];
    public.sort_unstable();
    let mut known = known;
    known.sort_unstable();
    assert_eq!(known, public);
    // A key that is no good is not nobody, and words are never for everybody.
    assert_eq!(get(&open.it, "requests.json?api_key=cpl_unknown", &nobody).await.status, 403);
    assert_eq!(get(&open.it, "servicerequestupdates.json", &nobody).await.status, 403);
    assert_eq!(send(&open.it, "requests.json", &pit(), &nobody).await.status, 403);
    assert_eq!(both(&open.it, "requests", "", &open.jane).await, json!([]), "hers, of which there are none");
}

#[tokio::test]
async fn an_agent_reports_for_a_customer_and_a_repetition_is_answered_again() {
    let house = House::new().await;
    let said = refusals(&house.it, &Method::POST, "requests", "", &with_key(&pit(), key(&house.ben)), 400).await;
    assert_eq!(said, "email: There is no such customer.");
    let mut fields = with_key(&pit(), key(&house.ben));
    fields[5].1 = "john@example.org";
    let again = With::default().header("idempotency-key", "report-7");
    let first = send(&house.it, "requests.json", &fields, &again).await;
    assert_eq!(first.status, 201, "{}", first.text);
    // The key was renewed meanwhile.
    let renewed = house.it.token("ben@example.org").await;
    let mut fields = with_key(&pit(), &renewed);
    fields[5].1 = "john@example.org";
    let second = send(&house.it, "requests.json", &fields, &again).await;
    assert_eq!((second.status.as_u16(), second.json()), (201, first.json()));
    fields[9].1 = "Another pit.";
    let other = send(&house.it, "requests.json", &fields, &again).await;
    assert_eq!(other.status, 400, "{}", other.text);
    assert_eq!(both(&house.it, "requests", "", &house.john).await.as_array().map(Vec::len), Some(1));
    // Whoever only looks hands nothing in.
    let said = refusals(&house.it, &Method::POST, "requests", "", &with_key(&pit(), key(&house.admin)), 403).await;
    assert!(!said.is_empty());
}

#[tokio::test]
async fn lists_are_by_number_service_status_and_time() {
    let mut house = House::new().await;
    let first = reported(&house).await;
    house.it.clock.advance(TimeDelta::days(100));
    house.john = With::bearer(&house.it.token("john@example.org").await);
    let mut fields = with_key(&pit(), key(&house.john));
    fields[1].1 = "late-delivery";
    let made = send(&house.it, "requests.json", &fields, &With::default()).await;
    let second = made.json()[0]["service_request_id"].as_str().expect("a number").to_owned();
    house.it.clock.advance(TimeDelta::seconds(5));
    house.done(&format!("/api/v1/complaints/{second}"), "withdraw", json!({}), &house.john).await;
    let third = reported(&house).await;
    let numbers = async |query: &str| {
        let list = both(&house.it, "requests", query, &house.john).await;
        let number = |it: &Value| it["service_request_id"].as_str().expect("a number").to_owned();
        list.as_array().expect("a list").iter().map(number).collect::<Vec<_>>()
    };
    let (one, two, three) = (first.as_str(), second.as_str(), third.as_str());
    assert_eq!(numbers("").await, [three, two], "the latest 90 days, the newest first");
    assert_eq!(numbers("?status=open").await, [three]);
    assert_eq!(numbers("?status=closed").await, [two]);
    assert_eq!(numbers("?status=closed,open&service_code=").await, [three, two]);
    assert_eq!(numbers("?service_code=late-delivery").await, [two]);
    assert_eq!(numbers("?service_code=late-delivery,damaged-goods").await, [three, two]);
    assert_eq!(numbers("?start_date=2026-03-02T09:00:00Z&end_date=2026-03-02T09:00:00Z").await, [one]);
    assert_eq!(numbers("?start_date=2026-03-02T10:00:00%2B01:00").await, [one]);
    assert_eq!(numbers("?start_date=2026-03-02T09:00:01Z&end_date=2026-05-31T09:00:01Z").await, Vec::<String>::new());
    assert_eq!(numbers("?end_date=2026-06-10T09:00:04Z").await, [two]);
    let asked =
        format!("?service_request_id={first},C7KQ-2M9X-B,{second},{first}&status=open&start_date=2026-06-10T09:00:00Z");
    assert_eq!(numbers(&asked).await, [one, two], "numbers override all else");
}

#[tokio::test]
async fn updates_go_both_ways_once() {
    let house = House::new().await;
    let number = reported(&house).await;
    let path = format!("/api/v1/complaints/{number}");
    let updates = async |query: &str, who: &With| both(&house.it, "servicerequestupdates", query, who).await;
    assert_eq!(updates("", &house.john).await, json!([]), "that it was handed in is no update");
    house.done(&path, "begin", json!({}), &house.sarah).await;
    house.done(&path, "note", json!({"text": "A secret note."}), &house.sarah).await;
    house.it.clock.advance(TimeDelta::hours(1));
    house.done(&path, "ask", json!({"text": "How deep <is> it?"}), &house.sarah).await;
    let asked = updates("", &house.john).await;
    assert_eq!(asked.as_array().map(Vec::len), Some(1), "{asked}");
    assert_eq!(asked[0]["service_request_id"], number.as_str());
    assert_eq!((&asked[0]["status"], &asked[0]["description"]), (&json!("open"), &json!("How deep <is> it?")));
    assert_eq!(asked[0]["updated_datetime"], "2026-03-02T10:00:00Z");

    let answer = [
        ("service_request_id", number.as_str()),
        ("update_id", "4711"),
        ("updated_datetime", "2026-03-02T10:30:00Z"),
        ("status", "CLOSED"),
        ("description", "A metre & more."),
        ("first_name", "Rita"),
        ("last_name", "Reporter"),
        ("media_url", "https://photos.example.net/8.jpg"),
        ("api_key", key(&house.john)),
    ];
    let mut ids = Vec::new();
    for _ in 0..2 {
        let taken = send(&house.it, "servicerequestupdates.json", &answer, &With::default()).await;
        assert_eq!(taken.status, 201, "{}", taken.text);
        ids.push(taken.json()[0]["update_id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
    let messages = house.read(&format!("{path}/messages"), &house.sarah).await;
    let messages = messages["items"].as_array().expect("items");
    assert_eq!((messages.len(), &messages[1]["kind"]), (2, &json!("answer")), "once, and as the answer");
    assert_eq!(
        messages[1]["text"],
        "A metre & more.\n\nStatus said there: CLOSED\nFile: https://photos.example.net/8.jpg\nWritten by: Rita Reporter"
    );
    let mut other = answer;
    other[4].1 = "Two metres.";
    assert_eq!(send(&house.it, "servicerequestupdates.json", &other, &With::default()).await.status, 400);
    for (at, value) in [(1, "4712"), (3, "open")] {
        other[at].1 = value;
    }
    let anonymous: Vec<_> = other
        .into_iter()
        .filter(|(name, _)| *name != "media_url")
        .chain([("public_anonymity_required", "TRUE")])
        .collect();
    assert_eq!(send(&house.it, "servicerequestupdates.json", &anonymous, &With::default()).await.status, 201);
    let messages = house.read(&format!("{path}/messages"), &house.sarah).await;
    assert_eq!(messages["items"][2]["text"], "Two metres.");
    assert_eq!(updates("", &house.john).await, asked, "what they sent does not come back");

    house.it.clock.advance(TimeDelta::hours(1));
    let decision = json!({"outcome": "upheld", "explanation": "It is filled.", "apology": "Sorry."});
    house.done(&path, "resolve", decision, &house.sarah).await;
    let late = updates("?start_date=2026-03-02T11:00:00Z&end_date=2026-03-02T11:00:00Z", &house.john).await;
    assert_eq!((&late[0]["status"], &late[0]["description"]), (&json!("closed"), &json!("It is filled.")));
    assert_eq!(late.as_array().map(Vec::len), Some(1));
    assert_eq!(updates("?end_date=2026-03-02T10:59:59Z", &house.john).await, asked);
    let everything = updates("", &house.omar).await;
    assert_eq!(everything.as_array().map(Vec::len), Some(2));
    assert!(!everything.to_string().contains("secret"), "{everything}");
    assert_eq!(updates("", &house.jane).await, json!([]));

    house.done(&path, "accept", json!({}), &house.john).await;
    let mut much_later = answer;
    much_later[1].1 = "4713";
    let refused = send(&house.it, "servicerequestupdates.json", &much_later, &With::default()).await;
    assert_eq!(refused.status, 400, "what is finished takes no message: {}", refused.text);
    let foreign: Vec<_> =
        answer.into_iter().filter(|(name, _)| *name != "api_key").chain([("api_key", key(&house.jane))]).collect();
    let said = refusals(&house.it, &Method::POST, "servicerequestupdates", "", &foreign, 404).await;
    assert_eq!(said, "service_request_id: There is no such service request.");
}

#[tokio::test]
async fn what_is_wrong_with_a_report_is_named_in_their_form() {
    let house = House::new().await;
    let it = &house.it;
    let john = key(&house.john);
    let long = "x".repeat(201);
    let text = "x".repeat(64 * 1024 + 1);
    // The field, what is sent in it, the status, what is said of it.
    for (field, value, status, wanted) in [
        ("service_code", "", 400, "service_code: This is needed."),
        ("service_code", "noise", 404, "service_code: There is no such service"),
        ("service_code", "Damaged goods", 404, "service_code: There is no such service"),
        ("lat", "", 400, "lat: Both lat and long are needed"),
        ("long", "", 400, "long: Both lat and long are needed"),
        ("lat", "90.5", 400, "lat: A number of degrees from -90 to 90"),
        ("long", "east", 400, "long: A number of degrees from -180 to 180"),
        ("lat", "NaN", 400, "lat: A number"),
        ("lat", "1e999", 400, "lat: A number"),
        ("description", " ", 400, "description: must not be empty"),
        ("description", &text, 400, "description: must be at most"),
        ("description", "a\u{0}b", 400, "description: must not contain control characters"),
        ("email", "rita", 400, "email: is not written as one"),
        ("first_name", &long, 400, "first_name: must be at most 200"),
        ("phone", "1\n2", 400, "phone: must be one line"),
        ("address_string", &long, 400, "address_string: must be at most 200"),
        ("media_url", &long, 400, "media_url: must be at most 200"),
        ("status", "closed", 400, "status: is not a field of this form"),
        ("attribute[size", "1", 400, "attribute[size: is not a field of this form"),
        ("attribute[size]", "1", 400, "attribute[size]: is no question of this category"),
    ] {
        let mut fields = with_key(&pit(), john);
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let said = refusals(it, &Method::POST, "requests", "", &fields, status).await;
        assert!(said.starts_with(wanted) && !said.contains('\n'), "{field}: {said}");
    }
    let nowhere: Vec<_> = with_key(&pit(), john)
        .into_iter()
        .filter(|(name, _)| !["lat", "long", "address_string"].contains(name))
        .collect();
    assert!(refusals(it, &Method::POST, "requests", "", &nowhere, 400).await.starts_with("lat: Where is it?"));
    let twice: Vec<_> = with_key(&pit(), john).into_iter().chain([("email", "b@example.org")]).collect();
    assert_eq!(refusals(it, &Method::POST, "requests", "", &twice, 400).await, "email: is given twice");
    let foreign = With::default().header("origin", "https://evil.example").header("sec-fetch-site", "cross-site");
    let refused = send(it, "requests.json", &with_key(&pit(), john), &foreign).await;
    assert_eq!((refused.status.as_u16(), &refused.json()[0]["code"]), (403, &json!(403)));
    assert_eq!(both(it, "requests", "", &house.john).await, json!([]), "nothing is half done");
}

#[tokio::test]
async fn what_is_wrong_with_an_update_is_named_in_their_form() {
    let house = House::new().await;
    let (it, john) = (&house.it, key(&house.john));
    let (long, text) = ("x".repeat(201), "x".repeat(64 * 1024 + 1));
    let update =
        [("service_request_id", "C7KQ-2M9X-B"), ("update_id", "1"), ("description", "Done?"), ("api_key", john)];
    for (field, value, status, wanted) in [
        ("service_request_id", "", 400, "service_request_id: This is needed."),
        ("service_request_id", "1", 404, "service_request_id: There is no such service request."),
        ("update_id", "", 400, "update_id: This is needed."),
        ("update_id", "ö", 400, "update_id: 1 to 100 visible ASCII characters."),
        ("update_id", &long, 400, "update_id: 1 to 100 visible ASCII characters."),
        ("updated_datetime", "yesterday", 400, "updated_datetime: An instant is written as"),
        ("status", &long, 400, "status: must be at most 200"),
        ("description", " ", 400, "description: This is needed."),
        ("lat", "1", 400, "lat: is not a field of this form"),
    ] {
        let mut fields = update.to_vec();
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let said = refusals(it, &Method::POST, "servicerequestupdates", "", &fields, status).await;
        assert!(said.starts_with(wanted), "{field}: {said}");
    }
    let number = reported(&house).await;
    let too_long =
        [("service_request_id", number.as_str()), ("update_id", "1"), ("description", &text), ("api_key", john)];
    let said = refusals(it, &Method::POST, "servicerequestupdates", "", &too_long, 400).await;
    assert!(said.starts_with("description: must be at most"), "{said}");
    let messages = house.read(&format!("/api/v1/complaints/{number}/messages"), &house.john).await;
    assert_eq!(messages["items"], json!([]), "nothing is half done");
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_named_in_their_form() {
    let house = House::new().await;
    let (it, john) = (&house.it, key(&house.john));
    let numbers = format!("service_request_id={}", ["C7KQ-2M9X-B"; 101].join(","));
    for (path, query, status, wanted) in [
        ("requests", "status=late", 400, "status: Either open or closed."),
        ("requests", "service_code=noise", 404, "service_code: There is no such service"),
        ("requests", "start_date=2026-03-02", 400, "start_date: An instant is written as"),
        ("requests", "start_date=2026-03-02T09:00:00", 400, "start_date: An instant is written as"),
        ("requests", "end_date=2026-02-30T09:00:00Z", 400, "end_date: An instant is written as"),
        (
            "requests",
            "start_date=2026-03-02T09:00:01Z&end_date=2026-03-02T09:00:00Z",
            400,
            "end_date: It must not be before",
        ),
        ("requests", "start_date=2026-01-01T00:00:00Z&end_date=2026-04-01T00:00:01Z", 400, "end_date: At most 90 days"),
        ("requests", &numbers, 400, "service_request_id: At most 100"),
        ("requests", "page=2", 400, "page: There is no such parameter."),
        (
            "requests",
            "start_date=2026-03-02T09:00:00Z&start_date=2026-03-03T09:00:00Z",
            400,
            "start_date: This parameter is given twice.",
        ),
        ("requests", "status=%FF", 400, "status: The text is not UTF-8."),
        ("servicerequestupdates", "start_date=soon", 400, "start_date: An instant is written as"),
        ("servicerequestupdates", "status=open", 400, "status: There is no such parameter."),
        ("services", "group=all", 400, "group: There is no such parameter."),
        ("services/noise", "", 404, "service_code: There is no such service"),
        ("services/%00", "", 404, "service_code: There is no such service"),
        ("requests/1", "", 404, "service_request_id: There is no such service request."),
        ("nothing", "", 404, "There is nothing here."),
    ] {
        let said = refusals(it, &Method::GET, path, &format!("?api_key={john}&{query}"), &[], status).await;
        assert!(said.starts_with(wanted), "{path}?{query}: {said}");
    }
    // Other ways to get it wrong: the ending, the method, the kind of body. Whoever asks for nothing in particular gets XML.
    for (path, method, kind, status) in [
        ("requests/1", Method::GET, None, 404),
        ("services/damaged-goods.yaml", Method::GET, None, 404),
        ("services/.xml", Method::GET, None, 404),
        ("services.xml", Method::DELETE, None, 405),
        ("requests.xml", Method::POST, Some("application/json"), 415),
        ("requests.xml", Method::POST, None, 415),
    ] {
        let browser = With::default().header("accept", "text/html");
        let answer = it.send(method, &format!("/open311/v2/{path}"), kind, b"{}".to_vec(), &browser).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
        assert_eq!(texts(&answer.text)[0], ("errors/error/code".to_owned(), status.to_string()));
    }
}
