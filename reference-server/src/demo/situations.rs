//! What people complain about at Tidewater Town Works. Every text is made for this demonstration.
//!
//! Parts in braces are filled in: `{thing}`, `{order}`, `{file}`, `{place}`, `{days}`, `{amount}`, `{date}`; in messages `{customer}` and
//! `{partner}` too. `a {thing}` becomes `an`, where it must.

use complaint_core::complaint::{RemedyKind, Wish};

/// One thing that goes wrong, with what is said about it.
pub struct Situation {
    /// Key of its category.
    pub category: &'static str,
    /// One line.
    pub subject: &'static str,
    /// What happened.
    pub description: &'static str,
    /// What it can be about.
    pub things: &'static [&'static str],
    /// What the customer asks for.
    pub wish: Wish,
    /// Answers to the category's questions.
    pub answers: &'static [(&'static str, &'static str)],
    /// What a handler may ask.
    pub question: &'static str,
    /// What the customer then says.
    pub answer: &'static str,
    /// Who else may have to act.
    pub partner: &'static str,
    /// Why the customer is right.
    pub upheld: &'static str,
    /// Why the customer is not.
    pub not_upheld: &'static str,
    /// What is done when the customer is right.
    pub cure: RemedyKind,
}

/// All of them.
pub const SITUATIONS: &[Situation] = &[
    Situation {
        category: "damaged-goods",
        subject: "{thing} arrived with a crack",
        description: "I ordered the {thing} on order {order}. When I lifted it out of the box there was a crack right across one side. It leaks, so I cannot use it at all.",
        things: &["ceramic planter", "rain barrel", "garden fountain", "compost bin"],
        wish: Wish::Replacement,
        answers: &[("packaging", "No, the box looked fine."), ("noticed", "As soon as I unpacked it.")],
        question: "Could you send us a photo of the crack, and of the label on the underside?",
        answer: "The label says batch 44-B. The crack runs from the rim to the base, about as long as my hand.",
        partner: "the pottery in Arklow",
        upheld: "The whole batch has a fault in the glaze. You did nothing wrong, and we have taken the rest off the shelf.",
        not_upheld: "The crack follows the line where a screw was driven in afterwards; the instructions warn of that.",
        cure: RemedyKind::Replacement,
    },
    Situation {
        category: "damaged-goods",
        subject: "Parts missing from the {thing}",
        description: "The {thing} came without the bag of screws and the second side panel. The assembly sheet lists both. I have had a half-built thing in the hall for {days} days.",
        things: &["bicycle shelter", "tool cabinet", "balcony bench", "sand box"],
        wish: Wish::Replacement,
        answers: &[("packaging", "One corner was torn open.")],
        question: "Which numbers on the parts list are missing? They are printed beside each drawing.",
        answer: "Numbers 7 and 12, and the small bag marked C.",
        partner: "the parts store",
        upheld: "The parcel was packed from an old list. The missing parts leave our store today.",
        not_upheld: "All the parts on the list were in the parcel when we opened it together at the counter.",
        cure: RemedyKind::Replacement,
    },
    Situation {
        category: "damaged-goods",
        subject: "{thing} stopped working after a week",
        description: "The {thing} worked for a week and then simply stopped. I have tried another socket and read the leaflet twice. Order {order}.",
        things: &["leaf blower", "pond pump", "hedge trimmer", "garden lamp set"],
        wish: Wish::Refund,
        answers: &[("packaging", "No."), ("noticed", "{days} days after delivery.")],
        question: "Does the small light beside the switch come on when you plug it in?",
        answer: "No light at all, in three different sockets.",
        partner: "the manufacturer's workshop",
        upheld: "The motor has failed well before its time. You get your money back; please keep the old one until our driver collects it.",
        not_upheld: "Our workshop found water inside the housing. The leaflet says on its first page that it must be kept dry.",
        cure: RemedyKind::Refund,
    },
    Situation {
        category: "damaged-goods",
        subject: "Wrong colour of {thing}",
        description: "I chose green and the {thing} in the parcel is grey. The order confirmation {order} says green as well. It was meant as a present.",
        things: &["picnic table", "post box", "parasol", "door mat"],
        wish: Wish::Replacement,
        answers: &[("packaging", "No, everything was tidy.")],
        question: "Is there a white sticker on the carton with a colour code?",
        answer: "It says GR-07, whatever that means.",
        partner: "the warehouse",
        upheld: "GR-07 is grey, and you ordered green. The mistake is ours; the right one is on its way.",
        not_upheld: "The order was changed to grey from your account a day later; we have sent you the record of it.",
        cure: RemedyKind::Replacement,
    },
    Situation {
        category: "late-delivery",
        subject: "{thing} is {days} days late",
        description: "My order {order} for a {thing} was promised for {date}. Since then the tracking page has said the same thing, {days} days now, and nobody answers the telephone number on it.",
        things: &["water butt", "bicycle shelter", "rabbit hutch", "garden gate"],
        wish: Wish::Compensation,
        answers: &[("promised", "{date}, says the confirmation.")],
        question: "Did the driver leave a card at any time? It would have a depot number on it.",
        answer: "No card, and I have been at home every day.",
        partner: "the courier",
        upheld: "The parcel was standing in the wrong depot. It is out for delivery, and we pay back what you paid for express.",
        not_upheld: "The delivery day you were given was kept; the parcel was refused at the door and came back to us.",
        cure: RemedyKind::Compensation,
    },
    Situation {
        category: "late-delivery",
        subject: "Parcel left in the rain",
        description: "The driver left the {thing} against the outside wall in the rain, although there is a porch. The cardboard fell apart and half of the contents are wet.",
        things: &["seed collection", "wool blanket", "set of maps", "box of books"],
        wish: Wish::Replacement,
        answers: &[("promised", "It came on the promised day, but look at it.")],
        question: "How much of it can still be used?",
        answer: "Perhaps a third. The rest is swollen or has run.",
        partner: "the courier",
        upheld: "Parcels must be left dry or taken back. We have told the courier so in writing, and you get the goods again.",
        not_upheld: "Your own instruction on the order was to leave it at the wall; we can only advise to change it.",
        cure: RemedyKind::Replacement,
    },
    Situation {
        category: "late-delivery",
        subject: "Delivered to the wrong house",
        description: "According to the message my {thing} was delivered and signed for. Nobody here signed. I asked at the neighbours on both sides of {place}.",
        things: &["rain barrel", "garden lamp set", "tool cabinet"],
        wish: Wish::Replacement,
        answers: &[("promised", "It was said to come on a Tuesday.")],
        question: "May we pass your telephone number to the driver, so that he can walk back with you?",
        answer: "Yes, of course, any afternoon.",
        partner: "the courier",
        upheld: "The driver mixed up two doors. He has apologised to us both and brought it over.",
        not_upheld: "The signature is that of the person you had named as your neighbour for deliveries.",
        cure: RemedyKind::Explanation,
    },
    Situation {
        category: "late-delivery",
        subject: "Collection slot never kept",
        description: "I took the day off for the collection of the old {thing} and nobody came. The same happened the month before. I would like to know whether anybody reads the list.",
        things: &["fridge", "washing machine", "sofa"],
        wish: Wish::Apology,
        answers: &[("promised", "Between eight and noon, both times.")],
        question: "Which telephone number did you give when you booked? The crew calls an hour before.",
        answer: "My mobile, the one I am writing about now with you, ending in 18.",
        partner: "the collection crew",
        upheld: "Two digits of your number were swapped in our list, so nobody reached you. It has been put right and you have a fixed slot.",
        not_upheld: "The crew rang at the booked number four times and waited for twenty minutes; we have the call list.",
        cure: RemedyKind::Apology,
    },
    Situation {
        category: "billing",
        subject: "Charged twice for {thing}",
        description: "My bank statement shows two payments on the same day for the {thing}, order {order}. I only ordered it once. Please give one of them back.",
        things: &["annual parking permit", "allotment fee", "library card", "swimming pass"],
        wish: Wish::Refund,
        answers: &[("paid-by", "By card, on your page.")],
        question: "What are the last four digits of the card, and the two reference numbers on the statement?",
        answer: "4410; the references end in 81 and 82.",
        partner: "the card company",
        upheld: "The page sent the payment twice when the connection was slow. One of them comes back to you.",
        not_upheld: "The second payment is for the order of your daughter at the same address; both were delivered.",
        cure: RemedyKind::Refund,
    },
    Situation {
        category: "billing",
        subject: "Refund for {thing} has not arrived",
        description: "On {date} I was told that the refund for the {thing} would take five working days. It has been {days} days. I have sent the form twice.",
        things: &["cancelled swimming course", "returned hedge trimmer", "market stall fee"],
        wish: Wish::Refund,
        answers: &[("paid-by", "Bank transfer.")],
        question: "To which account number should it have gone? The last four digits will do.",
        answer: "0193, at the credit union.",
        partner: "the cashier's office",
        upheld: "The form lay unsigned in a tray. It has been signed, and the money comes with the next run of transfers.",
        not_upheld: "The refund was paid to the account on the form on the day it was due; your bank can trace it with the number we sent.",
        cure: RemedyKind::Refund,
    },
    Situation {
        category: "billing",
        subject: "Water bill far too high",
        description: "The bill for the last quarter is three times what we normally pay. We are two people and were away for {days} days of it. Something must be wrong with the meter in {place}.",
        things: &["water account"],
        wish: Wish::Correction,
        answers: &[("paid-by", "Direct debit.")],
        question: "Please read the black figures on the meter today and tell us the number.",
        answer: "It shows 0482. The bill says 0841.",
        partner: "the meter inspector",
        upheld: "Two figures were read the wrong way round. You get a corrected bill and the difference back.",
        not_upheld: "Our inspector read the meter twice and found a running cistern in the house; the figures are right.",
        cure: RemedyKind::Refund,
    },
    Situation {
        category: "billing",
        subject: "Late fee although I paid in time",
        description: "I paid the {thing} two days before the date printed on it, and now there is a late fee of {amount} EUR on top. I have the receipt.",
        things: &["dog licence", "bin charge", "parking notice"],
        wish: Wish::Correction,
        answers: &[("paid-by", "At the counter, in cash.")],
        question: "Is there a till number in the corner of the receipt?",
        answer: "Till 3, receipt 20771.",
        partner: "the cashier's office",
        upheld: "The till was booked a day late at our end. The fee is taken off and comes back to you.",
        not_upheld: "The receipt is for the previous year's charge; this year's was paid after the date.",
        cure: RemedyKind::Refund,
    },
    Situation {
        category: "service",
        subject: "Spoken to rudely at the counter",
        description: "I asked about a {thing} and was told in front of everybody that I should learn to read. I am seventy-four and had forgotten my glasses.",
        things: &["parking permit", "bus pass", "birth certificate"],
        wish: Wish::Apology,
        answers: &[("where", "At the counter in {place}.")],
        question: "About what time was it, and which desk?",
        answer: "Shortly before noon, the desk beside the door.",
        partner: "the head of the counter",
        upheld: "Nobody should be spoken to like that. We have talked with the colleague, who is sorry, and so are we.",
        not_upheld: "We asked both colleagues and a visitor who was waiting; nobody remembers the words, and we are sorry that you left upset.",
        cure: RemedyKind::Apology,
    },
    Situation {
        category: "service",
        subject: "Passed on five times on the telephone",
        description: "I only wanted to know when the {thing} opens. I was put through five times, each time I had to explain everything, and then the line went dead.",
        things: &["recycling centre", "swimming pool", "library in the hill quarter"],
        wish: Wish::Apology,
        answers: &[("where", "On the telephone, the main number.")],
        question: "Do you remember what the recorded voice offered before you were put through?",
        answer: "Something about keys one to four; I took three.",
        partner: "the exchange",
        upheld: "Key three led in a circle since the change of the exchange. It has been mended; thank you for your patience.",
        not_upheld: "The call was ended from your side after the second time, as our list shows; the opening hours are on the door and our page.",
        cure: RemedyKind::ProcessChange,
    },
    Situation {
        category: "service",
        subject: "Closed early without a word",
        description: "The office in {place} was dark at a quarter to four although the sign says half past five. I came by bus with two children for the {thing}.",
        things: &["proof of address", "school bus card", "allotment keys"],
        wish: Wish::Compensation,
        answers: &[("where", "The office in {place}.")],
        question: "Was there any note at the door, perhaps lower down?",
        answer: "Nothing at all. Three other people were waiting as well.",
        partner: "the office manager",
        upheld: "The office closed for a staff meeting and nobody put up the notice. We pay your bus fares, and it will not happen again.",
        not_upheld: "It was a public holiday on which all our offices are closed, as announced.",
        cure: RemedyKind::Compensation,
    },
    Situation {
        category: "service",
        subject: "Home visit did not take place",
        description: "The visit about the {thing} was fixed for nine. At eleven I called, and was told that it had been moved to next month. Nobody had asked me.",
        things: &["grab rail", "hearing loop", "wheelchair ramp"],
        wish: Wish::Apology,
        answers: &[("where", "At my home in {place}.")],
        question: "Which day of the week suits you best for a new visit?",
        answer: "Any morning except Thursday.",
        partner: "the visiting service",
        upheld: "The change was entered but the letter never left. You have a new visit this week, and a name and number to call.",
        not_upheld: "You had asked for another day in the letter of which we enclose a copy.",
        cure: RemedyKind::Apology,
    },
    Situation {
        category: "streets",
        subject: "Street light out in {place}",
        description: "The {thing} has been dark for {days} days. It is the only one between the bridge and the school, and in the morning the children walk there.",
        things: &["third street light from the bridge", "lamp at the zebra crossing", "light above the steps"],
        wish: Wish::Repair,
        answers: &[("place", "{place}, on the side of the school.")],
        question: "Is there a number on a small plate, at about eye level?",
        answer: "Yes, 2-118.",
        partner: "the electricity network",
        upheld: "The cable joint had failed. It is being replaced, and the light is on the list for a check in winter.",
        not_upheld: "The light is switched off by decision of the council until the works on the bridge end; it is not broken.",
        cure: RemedyKind::Repair,
    },
    Situation {
        category: "streets",
        subject: "Deep hole in the road, {place}",
        description: "There is a hole in front of the {thing}, deep enough to lose a wheel. Yesterday a cyclist fell. I have put a chair beside it, but that cannot be the answer.",
        things: &["bakery", "bus stop", "pharmacy", "kindergarten"],
        wish: Wish::Repair,
        answers: &[("place", "{place}, just behind the corner.")],
        question: "About how wide is it, and is there water in it?",
        answer: "As wide as an umbrella, and yes, after rain.",
        partner: "the road contractor",
        upheld: "The hole is filled this week, and the whole stretch is in the programme for new asphalt.",
        not_upheld: "The road there belongs to the harbour company; we have sent them your report with a map.",
        cure: RemedyKind::Repair,
    },
    Situation {
        category: "streets",
        subject: "Works site without a way for wheelchairs",
        description: "The pavement along {place} is closed for the {thing} and there is no ramp down to the road. I cannot get to my doctor in my chair.",
        things: &["new gas main", "fibre cable", "kerb works"],
        wish: Wish::Other,
        answers: &[("place", "{place}, both ends of the site.")],
        question: "Which direction do you come from, so that the ramp is put at the right end first?",
        answer: "From the church, going down to the surgery.",
        partner: "the site manager",
        upheld: "The permit asks for ramps, and they were not there. They were put in on the same day, and the contractor pays the penalty.",
        not_upheld: "A marked and lit way on the other pavement was there the whole time; our inspector has photographed it.",
        cure: RemedyKind::ProcessChange,
    },
    Situation {
        category: "streets",
        subject: "Damaged my tyre on a loose {thing}",
        description: "Driving along {place} I heard a bang. The {thing} had come loose and cut my tyre open. The garage bill is {amount} EUR.",
        things: &["drain cover", "cable duct lid", "paving slab"],
        wish: Wish::Compensation,
        answers: &[("place", "{place}, opposite the post office.")],
        question: "Could you send us the bill, and say at what time it happened?",
        answer: "The bill is in the post. It was about half past six in the evening.",
        partner: "the insurer",
        upheld: "The cover should have been bolted. We pay the bill.",
        not_upheld: "The cover was checked two days before and was in order; we cannot pay without a report from the day.",
        cure: RemedyKind::Compensation,
    },
    Situation {
        category: "waste",
        subject: "Bin not emptied for {days} days",
        description: "The {thing} in {place} was left standing again. The neighbours' were emptied. It smells, and the lid no longer closes.",
        things: &["brown bin", "grey bin", "paper bin"],
        wish: Wish::Explanation,
        answers: &[("street", "{place}"), ("bin", "The {thing}.")],
        question: "Was the bin at the kerb before six in the morning, with the handle to the road?",
        answer: "It was there the evening before, handle to the road, as always.",
        partner: "the collection crew",
        upheld: "A new driver had an old list without your house on it. The bin was emptied today and the list is right now.",
        not_upheld: "The crew found building rubble in the bin and left a card; it may only hold what the lid says.",
        cure: RemedyKind::Apology,
    },
    Situation {
        category: "waste",
        subject: "Broken lid after collection",
        description: "Since the last collection the lid of our {thing} hangs on one hinge. The crew threw it down so hard that I heard it upstairs.",
        things: &["grey bin", "paper bin", "glass bin"],
        wish: Wish::Replacement,
        answers: &[("street", "{place}")],
        question: "Please tell us the number on the side of the bin, it begins with TW.",
        answer: "TW 50733.",
        partner: "the depot",
        upheld: "The crew is sorry. A new bin will be brought with the next round and the old one taken away.",
        not_upheld: "The hinge shows an old break that was glued; a new bin can be had at the depot for its price.",
        cure: RemedyKind::Replacement,
    },
    Situation {
        category: "waste",
        subject: "Turned away at the recycling centre",
        description: "I drove there with a {thing} and was turned away because of the size of my trailer. Nothing on your page speaks of a size.",
        things: &["dismantled shed", "pile of branches", "old kitchen"],
        wish: Wish::Explanation,
        answers: &[("street", "I live in {place}."), ("bin", "None, it was bulky.")],
        question: "How long and how wide is the trailer?",
        answer: "Two metres forty by one metre twenty.",
        partner: "the centre's manager",
        upheld: "Your trailer is within the limits. The colleague was new, and you can bring it on any day; we have put the limits on the page.",
        not_upheld: "Trailers of that load count as trade; the board at the gate and the page say so.",
        cure: RemedyKind::Explanation,
    },
    Situation {
        category: "waste",
        subject: "Charged for a {thing} I never ordered",
        description: "On the yearly bill there is a {thing} for {amount} EUR. I have never ordered one and never had one. I wrote about it in spring already.",
        things: &["second brown bin", "bulky collection", "bin lock"],
        wish: Wish::Refund,
        answers: &[("street", "{place}")],
        question: "Has anybody else at your address an account with us, perhaps the landlord?",
        answer: "No, the house is mine and I live here alone.",
        partner: "the billing office",
        upheld: "The order came from the house with the same number in another street. The charge has been taken off, and what you paid comes back to you.",
        not_upheld: "The order form carries your signature and the bin's number was read in your yard.",
        cure: RemedyKind::Refund,
    },
    Situation {
        category: "permits",
        subject: "No answer about my {thing} for {days} days",
        description: "I handed in everything for the {thing}, file {file}, and got a stamp. Since then nothing. The leaflet says four weeks at most.",
        things: &["building permit", "street party permit", "market licence", "taxi licence"],
        wish: Wish::Explanation,
        answers: &[("file", "{file}")],
        question: "Which counter stamped your copy, and is there a name beside the stamp?",
        answer: "Counter 5, the initials look like R.T.",
        partner: "the fire department",
        upheld: "The file had been sent to the wrong desk. It has been decided on, and the permit is in the post.",
        not_upheld: "One drawing was missing and we asked for it by letter; the time starts when the file is complete.",
        cure: RemedyKind::Correction,
    },
    Situation {
        category: "permits",
        subject: "Wrong name on my {thing}",
        description: "The {thing} arrived with my name misspelt. The form, of which I have a copy, has it right. I need it for a journey at the end of the month.",
        things: &["residence certificate", "marriage certificate", "birth certificate"],
        wish: Wish::Correction,
        answers: &[("file", "{file}")],
        question: "Could you bring the wrong one to any counter, or shall we send you an envelope?",
        answer: "I can come on Friday morning.",
        partner: "the registry",
        upheld: "We copied it wrongly. The right one waits for you at the counter, without a fee.",
        not_upheld: "The spelling is the one in the register; changing it there needs the form that we have sent you.",
        cure: RemedyKind::Correction,
    },
    Situation {
        category: "permits",
        subject: "Asked for the same papers three times",
        description: "For the {thing} I have now brought the same three papers three times. Each time another colleague tells me that they are not in the file {file}.",
        things: &["allotment lease", "parking permit for carers", "kindergarten place"],
        wish: Wish::Apology,
        answers: &[("file", "{file}")],
        question: "On which days did you hand them in?",
        answer: "On {date} and twice in the weeks before.",
        partner: "the archive",
        upheld: "The papers had been put into your neighbour's file. Everything is complete and your application was granted.",
        not_upheld: "The papers you brought are for last year; this year's are still missing, and we have listed them.",
        cure: RemedyKind::ProcessChange,
    },
    Situation {
        category: "noise",
        subject: "Night work without notice in {place}",
        description: "For three nights the {thing} has been running until two in the morning. There was no note in the letter box. I drive a bus and start at five.",
        things: &["road saw", "pump at the building site", "compressor"],
        wish: Wish::Apology,
        answers: &[("times", "From about ten in the evening until two.")],
        question: "Which night was the loudest?",
        answer: "Wednesday; I recorded a minute of it.",
        partner: "the contractor",
        upheld: "The night permit had ended. The work was stopped and the contractor was fined.",
        not_upheld: "The work had to be done while no trains run, and a notice was put into every letter box on the list.",
        cure: RemedyKind::Apology,
    },
    Situation {
        category: "noise",
        subject: "Smell from the {thing}",
        description: "When the wind comes from the river the {thing} in {place} can be smelt in every room. We can no longer open a window.",
        things: &["compost plant", "pumping station", "fish market drains"],
        wish: Wish::Explanation,
        answers: &[("times", "Mostly in the evening, with west wind.")],
        question: "Would you keep a list of times for a week? It helps us to find the source.",
        answer: "I have: six evenings of seven, always after eight.",
        partner: "the plant's operator",
        upheld: "The filter was overdue. It has been changed, and is now changed twice as often.",
        not_upheld: "We measured on five evenings and stayed far below the limit each time; the figures are enclosed.",
        cure: RemedyKind::ProcessChange,
    },
    Situation {
        category: "noise",
        subject: "Bottle bank emptied at five in the morning",
        description: "The {thing} in {place} is emptied at five, several times a week. It sounds as if a greenhouse fell down the stairs.",
        things: &["bottle bank", "glass container"],
        wish: Wish::Other,
        answers: &[("times", "Between five and half past five.")],
        question: "On which days of the week?",
        answer: "Mondays, Wednesdays and Fridays.",
        partner: "the collection crew",
        upheld: "The round has been turned about, so that your street comes after seven.",
        not_upheld: "The containers are emptied after seven, as the recorder in the lorry shows; the noise must have another source.",
        cure: RemedyKind::ProcessChange,
    },
];

/// Where things happen.
pub const PLACES: &[&str] = &[
    "Chandler Row",
    "Mill Lane",
    "Saltmarsh Road",
    "Upper Quay",
    "Priory Street",
    "Weir Court",
    "Lantern Hill",
    "Old Tannery Yard",
    "Ferry Walk",
    "Bellfield Terrace",
];

/// A handler's first message.
pub const GREETINGS: &[&str] = &[
    "Thank you for telling us, {customer}. I am looking into it today and will write to you as soon as I know more.",
    "I have your complaint in front of me and have asked {partner} for their side of it.",
    "I am sorry about this. I will go through the records first and come back to you within a few days.",
    "Good day {customer}, I am the one who looks after your complaint now. You can answer here at any time.",
    "Good morning. This should not have happened to you; I want to know how it came about and have begun to ask around.",
    "Thank you for describing it so clearly. That saves us both time: I know whom to ask, and will do so this afternoon.",
    "{customer}, I have read what you wrote. Before I say anything about it I want to hear from {partner}; that should take two or three days.",
    "Your complaint has come to my desk. I see from our records that you have waited for some time, and will not add much to it.",
    "Hello {customer}. I have put the papers together and will have gone through them by the end of the week.",
    "Thank you for your patience so far. I have opened the file and found the first entries; a few questions are left for {partner}.",
    "I understand that this is annoying. Give me until the day after tomorrow, then you know more, one way or the other.",
    "I take this over from today on. Should anything change on your side, a short line here is enough.",
];

/// What a handler answers to a remark.
pub const REPLIES: &[&str] = &[
    "Thank you, I have added that to the file.",
    "Good that you write. I am still waiting for {partner} and have asked again just now.",
    "Noted, {customer}. It does not change the course of things, but I will mention it in the decision.",
    "You are right to ask. I expect to have everything together within the next few days.",
    "Thank you for the addition; it fits what I have found out so far.",
];

/// Notes among colleagues.
pub const NOTES: &[&str] = &[
    "Second one of this kind this month; worth a look at the next team meeting.",
    "Spoke with the depot on the telephone, they will check their list by tomorrow.",
    "Customer was very friendly on the telephone, just wants it settled.",
    "Compare with the case of last autumn: same supplier, same answer.",
    "Photos checked, they match what is described.",
];

/// What customers add by themselves.
pub const REMARKS: &[&str] = &[
    "Is there any news yet? I would be glad of a short answer.",
    "One more thing: it happened again this morning.",
    "I have found the receipt after all and can bring it along.",
    "Thank you for the quick message, that helps.",
];

/// Why handlers pass a complaint up.
pub const ESCALATIONS: &[&str] = &[
    "The contract with the supplier would have to be read by somebody who may bind us.",
    "The customer asks for more than I may decide, and has good reasons.",
    "Two departments say the opposite of each other; somebody has to settle it.",
    "A newspaper has asked about the same matter.",
];

/// Why customers contest an answer.
pub const CONTESTS: &[&str] = &[
    "That is not what happened. Nobody has looked at the photos I sent.",
    "The answer speaks of another day than the one I wrote about.",
    "I do not accept this: the leaflet in my hand says the opposite.",
    "You only asked your own people. My neighbour saw it and would say so.",
];

/// Why an agent does not take a complaint.
pub const DECLINES: &[&str] =
    &["The customer is a cousin of mine.", "I was at the counter on that day and am part of the story."];

/// Why customers do not want what they are offered.
pub const REMEDY_DECLINES: &[&str] = &[
    "I did not complain for the money. Please see to it that it does not happen to anybody else.",
    "Thank you, but keep it. The explanation is worth more to me.",
];

/// Why something promised cannot be delivered.
pub const FAILURES: &[&str] =
    &["It came back to us: the account or address is out of date. We ask for the right one and send it again."];

/// Why a supervisor gives a complaint to somebody else.
pub const REASSIGNMENTS: &[&str] =
    &["Part-time this week; it cannot wait until Thursday.", "Two of the same customer should be in one hand."];

/// Why customers take a complaint back.
pub const WITHDRAWALS: &[&str] = &[
    "It has settled itself, the parcel was behind the shed.",
    "My neighbour has mended it. Thank you all the same.",
    "I have no more time for this.",
];

/// Other bodies and what the customer is told.
pub const REFERRALS: &[(&str, &str)] = &[
    (
        "Harbour Authority",
        "The quay and its lights belong to the Harbour Authority. We have passed your complaint on with everything you sent; they will write to you.",
    ),
    (
        "County Transport Office",
        "Bus stops are run by the county. We have handed your complaint over and asked for an answer within three weeks.",
    ),
    (
        "Consumer Mediation Board",
        "The seller is another company, for which the board is responsible. It has your complaint and our notes.",
    ),
];

/// Grounds of dismissal and what the customer is told.
pub const DISMISSALS: &[(&str, &str)] = &[
    (
        "not_a_complaint",
        "Thank you for your question. It is not a complaint, so we have passed it to the information desk, who will answer it.",
    ),
    ("out_of_scope", "This concerns a private contract in which we have no part, so we cannot decide on it."),
    (
        "time_barred",
        "What you describe happened more than six years ago, which is longer than our records and the rules reach.",
    ),
    ("spam", "This message advertises goods and does not complain about anything of ours."),
];

/// Ratings and what is said with them.
pub const RATINGS: &[(u8, &str)] = &[
    (5, "Quick, kind and clear. Could not be better."),
    (5, "I had not expected an answer on the same day."),
    (4, "Good in the end, a little slow at the start."),
    (4, "Well explained."),
    (3, "Settled, but I had to ask twice."),
    (2, "The apology was nice. The waiting was not."),
    (1, "I still think that you are wrong."),
];
