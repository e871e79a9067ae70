//! The lifecycle as a text that other programs draw.

use std::fmt::Write as _;

use super::Lifecycle;
use super::moves::{START, authority, receipt, stay};
use crate::lifecycle::{CommandName, Status};

impl Lifecycle<'_> {
    /// A Mermaid state diagram: every change of status that this policy leaves possible, with the commands that make
    /// it and the limits and windows that the policy sets; beside it the ladder.
    pub fn to_mermaid(&self) -> String {
        let mut chart = String::from("stateDiagram-v2\n");
        for status in Status::ALL {
            let _ = writeln!(chart, "    {} : {}", status.name(), status.label());
        }
        let _ = writeln!(chart, "    [*] --> {} : submit ({})", START.name(), receipt(self.policy));
        for (from, to, labels) in self.edges() {
            let _ = writeln!(chart, "    {} --> {} : {}", from.name(), to.name(), labels.join(" / "));
        }
        for end in Status::ALL.into_iter().filter(|status| status.is_end()) {
            let _ = writeln!(chart, "    {} --> [*]", end.name());
        }
        let _ = writeln!(chart, "    state \"Levels\" as levels {{");
        for (at, level) in self.policy.levels.iter().enumerate() {
            let name = mermaid_text(&level.name);
            let _ =
                writeln!(chart, "        level_{} : {} {name}, {}, {}", at + 1, at + 1, stay(level), authority(level));
        }
        for (from, to, label) in self.steps_of_the_ladder() {
            let _ = writeln!(chart, "        level_{from} --> level_{to} : {label}");
        }
        chart.push_str("    }\n");
        chart
    }

    /// A Graphviz graph of the same.
    pub fn to_dot(&self) -> String {
        let mut graph = String::from("digraph lifecycle {\n");
        let title = format!("{}, version {}", self.policy.name, self.policy.version);
        let _ = writeln!(graph, "    label={}; labelloc=t; fontname=sans; rankdir=TB;", dot_text(&title));
        graph.push_str("    node [shape=box, style=rounded, fontname=sans]; edge [fontname=sans, fontsize=10];\n");
        graph.push_str("    start [shape=point, width=0.15];\n");
        for group in ["open", "settled", "finished"] {
            let _ = writeln!(graph, "    subgraph cluster_{group} {{ label={}; style=dotted;", dot_text(group));
            for status in Status::ALL.into_iter().filter(|status| group_of(*status) == group) {
                let _ = writeln!(graph, "        {} [label={}];", status.name(), dot_text(status.label()));
            }
            graph.push_str("    }\n");
        }
        let submit = dot_text(&format!("submit ({})", receipt(self.policy)));
        let _ = writeln!(graph, "    start -> {} [label={submit}];", START.name());
        for (from, to, labels) in self.edges() {
            let _ = writeln!(graph, "    {} -> {} [label={}];", from.name(), to.name(), dot_text(&labels.join("\n")));
        }
        graph.push_str("    subgraph cluster_levels { label=\"Levels\"; style=dotted;\n");
        for (at, level) in self.policy.levels.iter().enumerate() {
            let label = format!("{} {}\n{}\n{}", at + 1, level.name, stay(level), authority(level));
            let _ = writeln!(graph, "        level_{} [label={}];", at + 1, dot_text(&label));
        }
        for (from, to, label) in self.steps_of_the_ladder() {
            let _ = writeln!(graph, "        level_{from} -> level_{to} [label={}];", dot_text(&label));
        }
        graph.push_str("    }\n}\n");
        graph
    }

    /// Every pair of statuses with a change between them, and the labels of the commands.
    fn edges(self) -> Vec<(Status, Status, Vec<String>)> {
        let moves = self.moves();
        let mut edges = Vec::new();
        for from in Status::ALL {
            for to in Status::ALL {
                let between = moves.iter().filter(|it| it.from == from && it.to == to);
                let labels: Vec<String> = between.map(|it| it.label(self.policy)).collect();
                if !labels.is_empty() {
                    edges.push((from, to, labels));
                }
            }
        }
        edges
    }

    fn steps_of_the_ladder(self) -> Vec<(usize, usize, String)> {
        let contest = format!("contest (within {})", self.policy.targets.contest_window);
        let mut steps = Vec::new();
        for (at, below) in (1..).zip(self.policy.levels.iter().rev().skip(1).rev()) {
            let escalate = format!("{} (after {})", CommandName::Escalate.name(), stay(below));
            steps.push((at, at + 1, format!("{escalate} / {contest}")));
            steps.push((at + 1, at, CommandName::HandBack.name().to_owned()));
        }
        steps
    }
}

fn group_of(status: Status) -> &'static str {
    match status {
        status if status.is_open() => "open",
        status if status.is_end() => "finished",
        _ => "settled",
    }
}

/// Names come from people: everything that could mean something to Mermaid is written as a character code.
fn mermaid_text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() || matches!(c, ' ' | ',' | '.' | '-' | '\'') {
            safe.push(c);
        } else {
            let _ = write!(safe, "#{};", u32::from(c));
        }
    }
    safe
}

/// A quoted string of the DOT language: a quote and a backslash are escaped, a line end is `\n`.
fn dot_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    #[test]
    fn names_of_people_cannot_break_a_chart() {
        let mut policy = Policy::standard();
        policy.levels[0].name = "A\"; } --> [*] : \\x {".into();
        policy.name = "\"\\".into();
        let mermaid = Lifecycle::of(&policy).to_mermaid();
        assert!(mermaid.contains("level_1 : 1 A#34;#59; #125; --#62; #91;#42;#93; #58; #92;x #123;, 5 working days"));
        let dot = Lifecycle::of(&policy).to_dot();
        assert!(dot.contains(r#"label="\"\\, version 1";"#), "{dot}");
        assert!(dot.contains(r#"level_1 [label="1 A\"; } --> [*] : \\x {\n5 working days"#), "{dot}");
    }
}
