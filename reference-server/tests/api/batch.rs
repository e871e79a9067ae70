//! Several complaints in one go: each on its own, none held back by another, and none handed in twice.

use axum::http::Method;
use serde_json::{Value, json};

use crate::house::House;
use crate::support::{Answer, With};

const DOOR: &str = "/api/v1/complaints/batch";

fn row(key: &str, subject: &str) -> Value {
    json!({
        "key": key,
        "customer": "john@example.org",
        "channel": "letter",
        "category": "Damaged goods",
        "subject": subject,
        "description": "The lid is cracked.",
    })
}

async fn sent(house: &House, rows: &[Value]) -> Value {
    let answer = house.it.post_with(DOOR, json!({"rows": rows}), &house.sarah).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn table(house: &House, text: &str, who: &With) -> Answer {
    house.it.send(Method::POST, DOOR, Some("text/csv; charset=utf-8"), text.as_bytes().to_vec(), who).await
}

async fn count(house: &House) -> usize {
    house.read("/api/v1/complaints", &house.omar).await["items"].as_array().map_or(0, Vec::len)
}

/// The fields of a row that are at fault, with their codes.
fn faults(row: &Value) -> Vec<(&str, &str)> {
    let errors = row["errors"].as_array().expect("errors").iter();
    errors.map(|it| (it["field"].as_str().expect("a field"), it["code"].as_str().expect("a code"))).collect()
}

#[tokio::test]
async fn a_bad_row_holds_no_other_back_and_names_all_its_faults() {
    let house = House::new().await;
    let mut bad = row("b", "");
    bad["category"] = json!("Noise");
    let mut unknown = row("c", "Broken");
    unknown["customer"] = json!("nobody@example.org");
    let mut wrong = row("d", "Broken");
    wrong["priority"] = json!("urgent");
    wrong["key"] = json!(7);
    let by_mail = json!({"channel": "email", "key": "e"});
    let rows =
        [row("a", "Broken kettle"), bad, unknown, wrong, by_mail, row("a", "Another"), json!([]), row("f", "Cup")];
    let done = sent(&house, &rows).await;
    assert_eq!((&done["received"], &done["refused"]), (&json!(2), &json!(6)), "{done}");
    let states: Vec<&str> =
        done["rows"].as_array().expect("rows").iter().map(|it| it["state"].as_str().expect("one")).collect();
    let refused = "refused";
    assert_eq!(states, ["received", refused, refused, refused, refused, refused, refused, "received"]);
    let (first, last) = (&done["rows"][0], &done["rows"][7]);
    assert!(first["reference"].is_string() && first["reference"] != last["reference"], "{done}");
    assert_eq!((&first["row"], &first["key"], &last["row"]), (&json!(1), &json!("a"), &json!(8)));
    let of = |at: usize| faults(&done["rows"][at]);
    assert_eq!(of(1), [("category", "unknown_category"), ("subject", "missing")]);
    assert_eq!(of(2), [("customer", "unknown_customer")]);
    assert_eq!(of(3), [("key", "invalid_type"), ("priority", "unknown_field")]);
    assert!(of(4).contains(&("category", "missing")) && of(4).contains(&("description", "missing")), "{done}");
    assert_eq!((of(5), of(6)), (vec![("key", "duplicate")], vec![("", "invalid_type")]));
    assert_eq!(count(&house).await, 2);
    let johns = house.read("/api/v1/complaints", &house.john).await;
    assert_eq!(johns["items"].as_array().map(Vec::len), Some(2), "each is its customer's");
    let path = format!("/api/v1/complaints/{}", first["id"].as_str().expect("an id"));
    assert_eq!(house.read(&path, &house.john).await["channel"], "letter");
    let letters = house.it.letters().await;
    assert!(letters.iter().filter(|(to, _)| to == "john@example.org").count() >= 2, "and they are told: {letters:?}");
}

#[tokio::test]
async fn sent_again_every_row_is_what_it_became() {
    let house = House::new().await;
    let first = sent(&house, &[row("a", "Broken kettle"), row("b", "")]).await;
    let again = sent(&house, &[row("a", "Broken kettle"), row("b", "Mended")]).await;
    assert_eq!(again["rows"][0]["reference"], first["rows"][0]["reference"]);
    assert_eq!((&first["rows"][0]["repeated"], &again["rows"][0]["repeated"]), (&json!(false), &json!(true)));
    assert_eq!(again["rows"][1]["state"], "received", "a row that was refused can be mended: {again}");
    let other = sent(&house, &[row("a", "Broken cup")]).await;
    assert_eq!(faults(&other["rows"][0]), [("key", "idempotency_key_reused")]);
    let as_table = "key,customer,channel,category,subject,description\n\
        a,john@example.org,letter,Damaged goods,Broken kettle,The lid is cracked.\n";
    let as_table = table(&house, as_table, &house.sarah).await.json();
    assert_eq!(as_table["rows"][0]["reference"], first["rows"][0]["reference"], "a table says the same: {as_table}");
    assert_eq!(count(&house).await, 2);
    let bens = house.it.post_with(DOOR, json!({"rows": [row("a", "Broken kettle")]}), &house.ben).await.json();
    assert_eq!(bens["rows"][0]["repeated"], false, "keys are one's own: {bens}");
}

#[tokio::test]
async fn a_table_can_be_looked_at_first() {
    let house = House::new().await;
    let text = "key,customer,channel,category,subject,description,contact.phone,purchase_date\r\n\
        1,john@example.org,phone,damaged-goods,\"Broken, quite\",\"Two\nlines\",+44 20 7946 0018,2026-02-14\r\n\
        2,john@example.org,phone,damaged-goods,Broken,The handle is off.,,soon\r\n\
        3,john@example.org,phone\r\n";
    let look = |query: &str| format!("{DOOR}{query}");
    let looked = house
        .it
        .send(Method::POST, &look("?check=true"), Some("text/csv"), text.as_bytes().to_vec(), &house.sarah)
        .await
        .json();
    let states: Vec<&Value> = looked["rows"].as_array().expect("rows").iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["acceptable", "refused", "refused"], "{looked}");
    assert!(faults(&looked["rows"][1]).iter().any(|(field, _)| *field == "purchase_date"), "{looked}");
    assert_eq!(faults(&looked["rows"][2]), [("", "wrong_length")]);
    assert_eq!(count(&house).await, 0, "looked at only");
    let done = table(&house, text, &house.sarah).await.json();
    assert_eq!((&done["received"], &done["refused"]), (&json!(1), &json!(2)));
    let path = format!("/api/v1/complaints/{}", done["rows"][0]["id"].as_str().expect("an id"));
    let made = house.read(&path, &house.john).await;
    assert_eq!((&made["subject"], &made["description"]), (&json!("Broken, quite"), &json!("Two\nlines")));
}

#[tokio::test]
async fn who_looks_is_told_what_was_handed_in_before() {
    let house = House::new().await;
    let first = sent(&house, &[row("a", "Broken kettle")]).await;
    let look = async |who: &With| {
        let mut reused = row("b", "");
        reused["key"] = json!("a");
        let rows = json!({"rows": [row("a", "Broken kettle"), row("c", "Broken cup")]});
        let looked = house.it.post_with(&format!("{DOOR}?check=true"), rows, who).await.json();
        let other = house.it.post_with(&format!("{DOOR}?check=true"), json!({"rows": [reused]}), who).await.json();
        (looked, other)
    };
    let (looked, other) = look(&house.sarah).await;
    let (before, new) = (&looked["rows"][0], &looked["rows"][1]);
    assert_eq!((&before["state"], &before["repeated"]), (&json!("received"), &json!(true)), "{looked}");
    assert_eq!(before["reference"], first["rows"][0]["reference"]);
    assert_eq!((&new["state"], &new["repeated"]), (&json!("acceptable"), &json!(false)));
    assert_eq!(faults(&other["rows"][0]), [("key", "idempotency_key_reused"), ("subject", "missing")]);
    let (looked, _) = look(&house.ben).await;
    assert_eq!(looked["rows"][0]["state"], "acceptable", "keys are one's own: {looked}");
    assert_eq!(count(&house).await, 1);
}

#[tokio::test]
async fn a_table_says_itself_what_separates_its_values() {
    let house = House::new().await;
    for (at, separator) in [",", ";", "\t"].into_iter().enumerate() {
        let head = ["key", "customer", "channel", "category", "subject", "description"].join(separator);
        let key = at.to_string();
        let values = [&*key, "john@example.org", "letter", "Damaged goods", "A letter", "\"a, b; c\td\""];
        let done = table(&house, &format!("{head}\n{}\n", values.join(separator)), &house.sarah).await.json();
        assert_eq!(done["rows"][0]["state"], "received", "{separator:?}: {done}");
        let path = format!("/api/v1/complaints/{}", done["rows"][0]["id"].as_str().expect("an id"));
        let made = house.read(&path, &house.john).await;
        assert_eq!(made["description"], "a, b; c\td", "{separator:?}");
    }
    let astray = "key;customer;subject\n1;john@example.org;\"Not closed\n";
    assert_eq!(table(&house, astray, &house.sarah).await.problem(), (400, "malformed_table".into()));
    let unknown = table(&house, "key;color\n1;red\n", &house.sarah).await;
    assert_eq!(unknown.fields(), [("color".to_owned(), "unknown_field".to_owned())], "{}", unknown.text);
}

#[tokio::test]
async fn what_cannot_be_read_hides_nothing_else_that_is_wrong() {
    let house = House::new().await;
    let mut bad = row("a", " ");
    bad["category"] = json!("Noise");
    bad["wish"] = json!("a pony");
    bad["purchase_date"] = json!("soon");
    bad["channel"] = json!("pigeon");
    bad["customer"] = json!("nobody@example.org");
    let expected = |fields: &[&str], given: &[(String, String)]| {
        for field in fields {
            assert_eq!(given.iter().filter(|(named, _)| named == field).count(), 1, "{field}: {given:?}");
        }
        assert_eq!(given.len(), fields.len(), "{given:?}");
    };
    let of_row = |row: &Value| -> Vec<_> {
        faults(row).into_iter().map(|(field, code)| (field.to_owned(), code.to_owned())).collect()
    };
    let done = sent(&house, &[bad.clone()]).await;
    expected(&["category", "subject", "wish", "purchase_date", "channel", "customer"], &of_row(&done["rows"][0]));
    // Where all can be read, the rules and a key that will not do are told together.
    let mut unkeyed = row("", "Broken kettle");
    unkeyed["category"] = json!("Noise");
    let done = sent(&house, &[unkeyed]).await;
    expected(&["key", "category"], &of_row(&done["rows"][0]));
    bad.as_object_mut().expect("a row").remove("key");
    let alone = house.it.post_with("/api/v1/complaints", bad.clone(), &house.sarah).await;
    expected(&["category", "subject", "wish", "purchase_date", "channel", "customer"], &alone.fields());
    let johns = json!({"category": "Noise", "subject": "Broken", "wish": "a pony", "channel": "web", "color": "red"});
    let johns = house.it.post_with("/api/v1/complaints", johns, &house.john).await;
    expected(&["category", "description", "wish", "channel", "color"], &johns.fields());
    assert_eq!(count(&house).await, 0);
}

#[tokio::test]
async fn a_quote_astray_gives_nobody_s_words_to_another() {
    let house = House::new().await;
    let head = "key,customer,channel,category,subject,description\n";
    let of = |key: &str, text: &str| format!("{key},john@example.org,letter,Damaged goods,A letter,{text}\n");
    for (rows, line) in [
        (format!("{}{}", of("a", "\"Not closed"), of("b", "Private.")), 2),
        (format!("{}{}", of("a", "Fine."), of("b", "\"Closed\" too early")), 3),
        (format!("{}{}", of("a", "\"Not closed"), of("b", "\"Private.\"")), 2),
        (of("a", "A 5\" pipe"), 2),
    ] {
        let refused = table(&house, &format!("{head}{rows}"), &house.sarah).await;
        assert_eq!(refused.problem(), (400, "malformed_table".into()), "{rows}: {}", refused.text);
        assert!(refused.text.contains(&format!("Line {line}: a quotation mark")), "{rows}: {}", refused.text);
    }
    assert_eq!(count(&house).await, 0);
    let good = format!("{head}{}", of("a", "\"A 5\"\" pipe,\nburst\""));
    let done = table(&house, &good, &house.sarah).await.json();
    assert_eq!(
        (&done["rows"][0]["customer"], &done["rows"][0]["subject"]),
        (&json!("john@example.org"), &json!("A letter"))
    );
    // As a browser sends the same table.
    let again = table(&house, &good.replace('\n', "\r\n"), &house.sarah).await.json();
    assert_eq!(again["rows"][0]["repeated"], true, "{again}");
    assert_eq!(again["rows"][0]["reference"], done["rows"][0]["reference"]);
}

#[tokio::test]
async fn a_customer_is_known_by_an_address_of_any_length() {
    let house = House::new().await;
    let long = format!("{}@{}.example.org", "a".repeat(60), "b".repeat(60));
    house.it.customer(&long).await;
    let mut letter = row("a", "Broken kettle");
    letter["customer"] = json!(format!(" {long} "));
    let done = sent(&house, &[letter.clone()]).await;
    assert_eq!(done["received"], 1, "{done}");
    letter.as_object_mut().expect("a row").remove("key");
    let one = house.it.post_with("/api/v1/complaints", letter.clone(), &house.sarah).await;
    assert_eq!(one.status, 201, "{}", one.text);
    letter["customer"] = json!(7);
    let wrong = house.it.post_with("/api/v1/complaints", letter, &house.sarah).await;
    assert_eq!(wrong.fields(), [("customer".to_owned(), "invalid_type".to_owned())], "{}", wrong.text);
}

#[tokio::test]
async fn it_is_for_agents_and_within_limits() {
    let house = House::new().await;
    let rows = json!({"rows": [row("a", "Broken kettle")]});
    for who in [&house.john, &house.admin] {
        let refused = house.it.post_with(DOOR, rows.clone(), who).await;
        assert!(refused.status == 403 && refused.text.contains("for agents"), "{}", refused.text);
    }
    assert_eq!(house.it.post(DOOR, rows.clone()).await.status, 401);
    let keyed = house.sarah.clone().header("idempotency-key", "k-1");
    let keyed = house.it.post_with(DOOR, rows, &keyed).await;
    assert_eq!(keyed.problem(), (400, "idempotency_key_not_supported".into()));
    for (rows, code) in [(Vec::new(), "missing"), (vec![row("a", "Cup"); 101], "too_many")] {
        let refused = house.it.post_with(DOOR, json!({"rows": rows}), &house.sarah).await;
        assert_eq!(refused.fields(), [("rows".to_owned(), code.to_owned())], "{}", refused.text);
    }
    let refused = house.it.post_with(DOOR, json!({"rows": [], "more": 1}), &house.sarah).await;
    assert_eq!(refused.fields(), [("more".to_owned(), "unknown_field".to_owned())]);
    let columns = table(&house, "\u{feff}key,color,key,status\n1,2,3,4\n", &house.sarah).await;
    let all = [("color", "unknown_field"), ("key", "duplicate"), ("status", "unknown_field")];
    assert_eq!(columns.fields(), all.map(|(column, code)| (column.to_owned(), code.to_owned())), "{}", columns.text);
    for (kind, body, status) in [
        ("text/plain", "key\n", 415),
        ("text/csv", "key\n\u{0}", 200),
        ("text/csv", "key\n", 422),
        ("text/csv", "", 422),
        ("application/json", "key\n", 400),
    ] {
        let answer = house.it.send(Method::POST, DOOR, Some(kind), body.as_bytes().to_vec(), &house.sarah).await;
        assert_eq!(answer.status, status, "{kind} {body:?}: {}", answer.text);
    }
    let large = "x".repeat(reference_server::extract::JSON_MAX + 1);
    let answer = house.it.send(Method::POST, DOOR, Some("text/csv"), large.into_bytes(), &house.sarah).await;
    assert_eq!(answer.status, 413);
    assert_eq!(count(&house).await, 0);
}
