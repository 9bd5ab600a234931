//! A fault in plain words, in both languages, with its numbers: for `foremend explain` and the pages.
//!
//! Written from the compiled program alone, so that what is explained is what runs.

use super::unit::format_ms as time;
use super::{
    Cond, Fault, FaultIdx, NodeIdx, NodeKind, Num, Program, Recheck, RuleState, Severity,
    SignalKind, StageRule, TermIdx, Window, Words,
};
use crate::telemetry::Text;

impl Program {
    /// A fault in plain words, several lines; `None` when there is no such fault.
    pub fn explain(&self, fault: &str, words: &Words) -> Option<Text> {
        let fault = self.faults.iter().find(|one| one.name == *fault)?;
        Some(Explainer { program: self }.fault(fault, words))
    }
}

/// A fault as sentences, for a page that lays them out itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultInWords {
    /// When the early stage rises.
    pub warn: Option<Text>,
    /// When the fault stage rises.
    pub fault: Option<Text>,
    /// When it is over.
    pub clear: Text,
    /// What is watched after a repair.
    pub recheck: Text,
}

impl Program {
    /// A fault of this program as sentences.
    #[must_use]
    pub fn in_words(&self, fault: &Fault) -> FaultInWords {
        let explainer = Explainer { program: self };
        let stage = |rule: &StageRule| {
            let when = explainer.cond(&rule.when);
            match &rule.gate {
                None => when,
                Some(gate) => {
                    let gate = explainer.cond(gate);
                    Text::new(
                        format!("{}; judged only while: {}", when.en, gate.en),
                        format!("{}；仅在以下情况下判断：{}", when.zh, gate.zh),
                    )
                }
            }
        };
        let (en, zh) = explainer.recheck(fault.recheck);
        FaultInWords {
            warn: fault.warn.as_ref().map(stage),
            fault: fault.fault.as_ref().map(stage),
            clear: explainer.cond(&fault.clear),
            recheck: Text::new(en, zh),
        }
    }
}

struct Explainer<'p> {
    program: &'p Program,
}

impl Explainer<'_> {
    fn fault(&self, fault: &Fault, words: &Words) -> Text {
        let name = fault.label.as_ref().unwrap_or(&fault.title);
        let mut text = Text::new(
            format!("{} {} ({})", fault.code, name.en, fault.name),
            format!("{} {}（{}）", fault.code, name.zh, fault.name),
        );
        match fault.state {
            RuleState::Live => {}
            RuleState::Shadow => line(
                &mut text,
                "shadow: it is judged and opens nothing",
                "影子模式：只判断，不建工单",
            ),
            RuleState::Off => line(&mut text, "off: it is not judged", "已停用：不判断"),
        }
        for (stage, name, name_zh) in [
            (&fault.warn, "early sign", "早期征兆"),
            (&fault.fault, "fault", "故障"),
        ] {
            if let Some(stage) = stage {
                self.stage(stage, (name, name_zh), words, &mut text);
            }
        }
        let clear = self.cond(&fault.clear);
        line(
            &mut text,
            &format!("over when: {}", clear.en),
            &format!("恢复条件：{}", clear.zh),
        );
        let (en, zh) = self.recheck(fault.recheck);
        line(&mut text, &en, &zh);
        let cause = words.cause(&fault.cause).cloned();
        let cause = cause.unwrap_or_else(|| Text::same(&fault.cause));
        line(
            &mut text,
            &format!("probable cause: {}", cause.en),
            &format!("可能原因：{}", cause.zh),
        );
        for part in &fault.parts {
            let own = self.program.parts.iter().find(|p| p.number == *part);
            let title = own.map(|own| &own.title).or_else(|| words.part(part));
            let title = title.cloned().unwrap_or_default();
            line(
                &mut text,
                &format!("part: {part} {}", title.en),
                &format!("备件：{part} {}", title.zh),
            );
        }
        text
    }

    fn stage(&self, stage: &StageRule, name: (&str, &str), words: &Words, text: &mut Text) {
        let when = self.cond(&stage.when);
        let (severity, severity_zh) = severity(stage.severity);
        line(
            text,
            &format!("{} ({:?}, {severity}): {}", name.0, stage.severity, when.en),
            &format!(
                "{}（{:?}，{severity_zh}）：{}",
                name.1, stage.severity, when.zh
            ),
        );
        if let Some(gate) = &stage.gate {
            let gate = self.cond(gate);
            line(
                text,
                &format!("  judged only while: {}", gate.en),
                &format!("  仅在以下情况下判断：{}", gate.zh),
            );
        }
        if stage.latched {
            line(
                text,
                "  stays raised until a person or a replaced part clears it",
                "  需人工或更换部件后解除",
            );
        }
        if stage.keep_ms > 0 {
            let keep = time(stage.keep_ms);
            line(
                text,
                &format!("  stays raised at least {keep}"),
                &format!("  至少保持 {keep}"),
            );
        }
        let action = words.action(&stage.action).cloned();
        let action = action.unwrap_or_else(|| Text::same(&stage.action));
        line(
            text,
            &format!("  what to do: {}", action.en),
            &format!("  处理：{}", action.zh),
        );
    }

    fn recheck(&self, recheck: Recheck) -> (String, String) {
        match recheck {
            Recheck::Span(ms) => (
                format!("after a repair it is watched for {}", time(ms)),
                format!("维修后观察 {}", time(ms)),
            ),
            Recheck::Sessions { session, count } => {
                let session = self.program.sessions.get(session);
                let name = session.map_or("", |one| one.name.as_str());
                (
                    format!("after a repair it is watched for {count} uses of {name}"),
                    format!("维修后观察 {count} 次 {name}"),
                )
            }
        }
    }

    fn cond(&self, cond: &Cond) -> Text {
        match cond {
            Cond::Const(true) => Text::new("always", "始终"),
            Cond::Const(false) => Text::new("never", "从不"),
            Cond::Signal(index) => self.signal(*index, |label| {
                Text::new(format!("{}: yes", label.en), format!("{}：是", label.zh))
            }),
            Cond::Event(index) => {
                let label = self.program.events.get(*index).map(|e| e.label.clone());
                let label = label.unwrap_or_default();
                Text::new(
                    format!("it happens: {}", label.en),
                    format!("发生：{}", label.zh),
                )
            }
            Cond::Running(index) => {
                let session = self.program.sessions.get(*index);
                let name = session.map_or("", |one| one.name.as_str());
                Text::new(format!("{name} is running"), format!("正在 {name}"))
            }
            Cond::Compare {
                right, term, left, ..
            } => self.compare(*term, left, right),
            Cond::Within {
                low, high, term, ..
            } => self.within(*term, low, high),
            Cond::Node(node) => self.node(*node),
            Cond::BaselineReady(node) => {
                let text = self.node_text(*node);
                Text::new(
                    format!("{text} has learnt its baseline"),
                    format!("{text} 已学得初期基线"),
                )
            }
            Cond::Has(index) => self.signal(*index, |label| {
                Text::new(
                    format!("{} is known", label.en),
                    format!("{}已知", label.zh),
                )
            }),
            Cond::Invalid(index) => self.signal(*index, |label| {
                Text::new(
                    format!("{} reads what its sensor cannot deliver", label.en),
                    format!("{}读数超出传感器范围", label.zh),
                )
            }),
            Cond::Raised(fault) => self.raised(*fault),
            Cond::Not(inner) => {
                let inner = self.cond(inner);
                Text::new(format!("not ({})", inner.en), format!("非（{}）", inner.zh))
            }
            Cond::All(list) => self.join(list, " and ", " 且 "),
            Cond::Any(list) => self.join(list, " or ", " 或 "),
            Cond::Requires { count, inner, .. } => {
                let inner = self.cond(inner);
                Text::new(
                    format!("{} (once there are {count} values)", inner.en),
                    format!("{}（至少有 {count} 个数据后）", inner.zh),
                )
            }
        }
    }

    fn join(&self, list: &[Cond], en: &str, zh: &str) -> Text {
        let parts: Vec<Text> = list
            .iter()
            .map(|one| {
                let text = self.cond(one);
                if matches!(one, Cond::All(_) | Cond::Any(_)) {
                    Text::new(format!("({})", text.en), format!("（{}）", text.zh))
                } else {
                    text
                }
            })
            .collect();
        let english: Vec<&str> = parts.iter().map(|p| p.en.as_str()).collect();
        let chinese: Vec<&str> = parts.iter().map(|p| p.zh.as_str()).collect();
        Text::new(english.join(en), chinese.join(zh))
    }

    fn compare(&self, term: TermIdx, left: &Num, right: &Num) -> Text {
        let Some(term) = self.program.terms.get(term) else {
            return Text::default();
        };
        let limit = match right {
            Num::Const(value) => self
                .word_of(left, *value)
                .unwrap_or_else(|| term.unit.format(*value)),
            Num::Limit(index) => {
                let limit = self.program.limits.get(*index);
                limit.map_or_else(String::new, |limit| {
                    format!("{} ({})", limit.name, limit.unit.format(limit.default))
                })
            }
            _ => {
                let op = format!(" {} ", term.op);
                let text = term.text.split_once(op.as_str());
                text.map_or_else(|| term.text.to_string(), |(_, right)| right.to_owned())
            }
        };
        let (en, zh) = match term.op.as_str() {
            "==" => ("is", "为"),
            "!=" => ("is not", "不为"),
            "<" => ("is below", "低于"),
            "<=" => ("is at most", "不高于"),
            ">" => ("is above", "高于"),
            _ => ("is at least", "不低于"),
        };
        let subject = self.subject(left).unwrap_or_else(|| term.label.clone());
        Text::new(
            format!("{} {en} {limit}", subject.en),
            format!("{}{zh} {limit}", subject.zh),
        )
    }

    /// What a count or a total of a condition speaks of.
    fn subject(&self, left: &Num) -> Option<Text> {
        let Num::Node(node, _) = left else {
            return None;
        };
        let (cond, window, en, zh) = match &self.program.nodes.get(*node)?.kind {
            NodeKind::CountStarts { cond, window } => (cond, window, "number of times", "次数"),
            NodeKind::Total { cond, window } => (cond, window, "time", "累计时长"),
            _ => return None,
        };
        let (inner, over) = (self.cond(cond), self.window(*window));
        Some(Text::new(
            format!("the {en} {} that ({})", over.en, inner.en),
            format!("{}（{}）的{zh}", over.zh, inner.zh),
        ))
    }

    fn window(&self, window: Window) -> Text {
        match window {
            Window::Span { span_ms, .. } => {
                let span = time(span_ms);
                Text::new(format!("in {span}"), format!("{span} 内"))
            }
            Window::Session(session) => {
                let session = self.program.sessions.get(session);
                let name = session.map_or("", |one| one.name.as_str());
                Text::new(format!("during {name}"), format!("{name} 期间"))
            }
            Window::Day => Text::new("of the day", "当天"),
            Window::Last(n) => Text::new(format!("of the last {n}"), format!("最近 {n} 个")),
        }
    }

    fn word_of(&self, left: &Num, value: f64) -> Option<String> {
        let Num::Signal(index) = left else {
            return None;
        };
        let SignalKind::Enum(words) = &self.program.signals.get(*index)?.kind else {
            return None;
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast saturates, and an index beyond the words gives none"
        )]
        words.get(value as usize).map(|word| format!("'{word}'"))
    }

    fn within(&self, term: TermIdx, low: &Num, high: &Num) -> Text {
        let Some(term) = self.program.terms.get(term) else {
            return Text::default();
        };
        let (Num::Const(low), Num::Const(high)) = (low, high) else {
            return Text::same(&term.text);
        };
        let (low, high) = (term.unit.format(*low), term.unit.format(*high));
        Text::new(
            format!("{} is between {low} and {high}", term.label.en),
            format!("{}在 {low} 至 {high} 之间", term.label.zh),
        )
    }

    fn node(&self, index: NodeIdx) -> Text {
        let Some(node) = self.program.nodes.get(index) else {
            return Text::default();
        };
        match &node.kind {
            NodeKind::HeldFor { cond, hold_ms } => {
                let (inner, hold) = (self.bracketed(cond), time(*hold_ms));
                Text::new(
                    format!("{} for {hold} without a break", inner.en),
                    format!("{}持续 {hold}", inner.zh),
                )
            }
            NodeKind::HeldOf { cond, k, n, .. } => {
                let inner = self.bracketed(cond);
                Text::new(
                    format!("{} in at least {k} of the last {n} values", inner.en),
                    format!("最近 {n} 个数据中至少 {k} 个：{}", inner.zh),
                )
            }
            NodeKind::AtLeast { n, signs, span_ms } => {
                let (list, span) = (self.join(signs, "; ", "；"), time(*span_ms));
                Text::new(
                    format!("at least {n} of these signs within {span}: {}", list.en),
                    format!("{span} 内至少出现 {n} 项：{}", list.zh),
                )
            }
            NodeKind::Stuck { span_ms, .. } => {
                let span = time(*span_ms);
                Text::new(
                    format!("{} (no change in {span})", node.text),
                    format!("{}（{span} 内无变化）", node.text),
                )
            }
            _ => Text::same(&node.text),
        }
    }

    fn bracketed(&self, cond: &Cond) -> Text {
        let text = self.cond(cond);
        if matches!(cond, Cond::All(_) | Cond::Any(_)) {
            return Text::new(format!("({})", text.en), format!("（{}）", text.zh));
        }
        text
    }

    fn node_text(&self, index: NodeIdx) -> &str {
        self.program
            .nodes
            .get(index)
            .map_or("", |n| n.text.as_str())
    }

    fn signal(&self, index: usize, say: impl Fn(&Text) -> Text) -> Text {
        self.program
            .signals
            .get(index)
            .map_or_else(Text::default, |signal| say(&signal.label))
    }

    fn raised(&self, index: FaultIdx) -> Text {
        let title = self.program.faults.get(index).map(|f| f.title.clone());
        let title = title.unwrap_or_default();
        Text::new(
            format!("'{}' is raised", title.en),
            format!("“{}”成立", title.zh),
        )
    }
}

fn line(text: &mut Text, en: &str, zh: &str) {
    text.en.push_str("\n  ");
    text.en.push_str(en);
    text.zh.push_str("\n  ");
    text.zh.push_str(zh);
}

fn severity(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::S1 => ("danger, at once", "危险，立即处理"),
        Severity::S2 => ("does not work", "功能失效"),
        Severity::S3 => ("works worse", "功能下降"),
        Severity::S4 => ("notice", "提示"),
    }
}
