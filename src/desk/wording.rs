//! A ticket change in words, for terminals and timelines, in both languages.

use crate::telemetry::{Lang, Text, WaitFor};

use super::{Change, TicketChange};

/// One line for a terminal: when, which ticket, which device, what is wrong, what happened.
///
/// Control characters are replaced, so that no text can move the cursor of whoever reads it.
#[must_use]
pub fn change_text(change: &TicketChange, lang: Lang) -> String {
    let ticket = &change.ticket;
    let (colon, stop) = match lang {
        Lang::En => (": ", ". "),
        Lang::Zh => ("：", "。"),
    };
    let mut line = format!(
        "{}  {}  {}  {} {}{colon}{}",
        change.at,
        ticket.id,
        ticket.device,
        ticket.severity.as_str(),
        ticket.title.of(lang),
        change_words(change).of(lang),
    );
    let reason = ticket.reason.of(lang);
    let shows_reason = matches!(
        change.change,
        Change::Opened | Change::Worsened | Change::Reopened
    );
    if shows_reason && !reason.is_empty() {
        line.push_str(stop);
        line.push_str(reason);
    }
    line.chars()
        .map(|letter| {
            if letter.is_control() {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect()
}

/// What happened, without the ticket: `opened`, `cancelled: the rule was withdrawn`, `assigned to mo by lena`.
#[must_use]
pub fn change_words(change: &TicketChange) -> Text {
    let done = match change.change {
        Change::Opened => Text::new("opened", "新建"),
        Change::Worsened => Text::new("worsened", "加重"),
        Change::Eased => Text::new("eased", "减轻"),
        Change::Cleared => Text::new("the condition is over", "已恢复正常"),
        Change::Cancelled => because("cancelled", "已取消", &own_words(change)),
        Change::Reopened if change.by.is_some() => Text::new("reopened", "重新打开"),
        Change::Reopened => because("reopened", "重新打开", &own_words(change)),
        Change::Acted if change.by.is_some() => act_words(change),
        Change::Acted => own_words(change),
    };
    match &change.by {
        Some(by) => Text::new(
            format!("{} by {by}", done.en),
            format!("{}（{by}）", done.zh),
        ),
        None => done,
    }
}

fn because(en: &str, zh: &str, why: &Text) -> Text {
    if why.is_empty() {
        return Text::new(en, zh);
    }
    Text::new(format!("{en}: {}", why.en), format!("{zh}：{}", why.zh))
}

/// What a person did.
fn act_words(change: &TicketChange) -> Text {
    let ticket = &change.ticket;
    match change.what.as_str() {
        "acknowledge" => Text::new("acknowledged", "已受理"),
        "assign" => match &ticket.assignee {
            Some(name) => Text::new(format!("assigned to {name}"), format!("指派给 {name}")),
            None => Text::new("assigned to nobody", "取消指派"),
        },
        "start" => Text::new("work began", "开始处理"),
        "wait" => match &ticket.waiting {
            Some(waiting) => {
                let reason = wait_words(waiting.reason);
                let until = waiting.until;
                Text::new(
                    format!("waiting for {} until {until}", reason.en),
                    format!("等{}，至 {until}", reason.zh),
                )
            }
            None => Text::new("waiting", "等待中"),
        },
        "comment" => Text::new("commented", "已备注"),
        "resolve" => Text::new("resolved", "已解决"),
        "close" => Text::new("closed", "已关闭"),
        other => Text::same(other),
    }
}

fn wait_words(reason: WaitFor) -> Text {
    match reason {
        WaitFor::Customer => Text::new("the customer", "客户"),
        WaitFor::Part => Text::new("a part", "备件"),
        WaitFor::Visit => Text::new("a visit", "上门"),
    }
}

/// What Foremend itself did, or why.
fn own_words(change: &TicketChange) -> Text {
    let linked = change.ticket.linked.as_deref().unwrap_or("–");
    match change.what.as_str() {
        "cleared" => Text::new("it was over before anyone acted", "无人处理前已恢复正常"),
        "raised_again" => Text::new("it holds again", "再次出现"),
        "repair_did_not_help" => Text::new("the repair did not help", "维修后仍出现"),
        "recheck_passed" => Text::new("closed: quiet since the repair", "已关闭：维修后未再出现"),
        "unverified" => Text::new(
            "closed: too little use to judge the repair",
            "已关闭：使用太少，无法确认维修效果",
        ),
        "rule_withdrawn" => Text::new("the rule was withdrawn", "规则已撤回"),
        "absorbed" => Text::new(format!("goes on in {linked}"), format!("并入 {linked}")),
        "sensor_verdict" => Text::new(
            format!("its sensor is faulty, see {linked}"),
            format!("所依据的传感器有故障，见 {linked}"),
        ),
        "device_retired" => Text::new("the device was retired", "设备已停用"),
        "wait_over" => Text::new("the wait is over", "等待结束"),
        "notice_repeated" => Text::new("still due", "仍待处理"),
        other => Text::same(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::tests::{Bench, START, day, resolve};
    use crate::detect::FaultEventKind as Kind;
    use crate::profile::Stage;
    use crate::telemetry::TicketAction;

    fn lines(bench: &Bench, lang: Lang) -> Vec<String> {
        bench
            .out
            .changes
            .iter()
            .map(|change| change_text(change, lang))
            .collect()
    }

    fn words(bench: &Bench) -> Vec<Text> {
        bench.out.changes.iter().map(change_words).collect()
    }

    #[test]
    fn an_opened_ticket_reads_so_in_both_languages() {
        let mut bench = Bench::new();
        bench.say(Kind::Raised, "scale", Stage::Warn, START);
        assert_eq!(
            lines(&bench, Lang::En),
            [
                "2026-03-01T06:41:09.120Z  T-1  basin-1/0001  S3 title of scale: opened. Water is hot"
            ]
        );
        assert_eq!(
            lines(&bench, Lang::Zh),
            ["2026-03-01T06:41:09.120Z  T-1  basin-1/0001  S3 scale 标题：新建。水很热"]
        );
    }

    #[test]
    fn a_cancelled_ticket_says_why() {
        let mut bench = Bench::new();
        bench.say(Kind::Raised, "scale", Stage::Warn, START);
        bench.say(Kind::Raised, "body", Stage::Warn, START);
        assert_eq!(
            words(&bench)[1],
            Text::new("cancelled: goes on in T-2", "已取消：并入 T-2")
        );
        bench.say(Kind::Cleared, "body", Stage::Warn, START);
        assert_eq!(
            words(&bench),
            [Text::new(
                "cancelled: it was over before anyone acted",
                "已取消：无人处理前已恢复正常"
            )]
        );
    }

    #[test]
    fn what_people_do_is_told_with_their_name() {
        let mut bench = Bench::new();
        bench.say(Kind::Raised, "scale", Stage::Warn, START);
        let wait = TicketAction::Wait {
            reason: WaitFor::Part,
            until: day(1),
        };
        let told = [
            (
                TicketAction::Acknowledge,
                "acknowledged by lena",
                "已受理（lena）",
            ),
            (
                TicketAction::Assign { to: "mo".into() },
                "assigned to mo by lena",
                "指派给 mo（lena）",
            ),
            (
                wait,
                "waiting for a part until 2026-03-02T06:41:09.120Z by lena",
                "等备件，至 2026-03-02T06:41:09.120Z（lena）",
            ),
            (
                TicketAction::Start,
                "work began by lena",
                "开始处理（lena）",
            ),
            (resolve(), "resolved by lena", "已解决（lena）"),
            (
                TicketAction::Reopen { reason: None },
                "reopened by lena",
                "重新打开（lena）",
            ),
        ];
        for (action, en, zh) in told {
            bench.act(START, "T-1", &action);
            assert_eq!(words(&bench), [Text::new(en, zh)]);
        }
    }

    #[test]
    fn a_repair_that_did_not_help_is_named() {
        let mut bench = Bench::resolved(START);
        bench.say(Kind::RecheckFailed, "scale", Stage::Warn, day(1));
        assert_eq!(
            words(&bench),
            [Text::new(
                "reopened: the repair did not help",
                "重新打开：维修后仍出现"
            )]
        );
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        let mut bench = Bench::new();
        bench.say(Kind::Raised, "scale", Stage::Warn, START);
        bench.act(
            START,
            "T-1",
            &TicketAction::Assign {
                to: "a\u{1b}[2J".into(),
            },
        );
        assert!(lines(&bench, Lang::En)[0].ends_with("assigned to a\u{fffd}[2J by lena"));
    }

    #[test]
    fn every_word_that_the_desk_uses_is_translated() {
        let mut bench = Bench::new();
        bench.say(Kind::Raised, "scale", Stage::Warn, START);
        let mut change = bench.out.changes.remove(0);
        change.change = Change::Acted;
        for what in [
            "cleared",
            "raised_again",
            "repair_did_not_help",
            "recheck_passed",
            "unverified",
            "rule_withdrawn",
            "absorbed",
            "sensor_verdict",
            "device_retired",
            "wait_over",
            "notice_repeated",
        ] {
            change.what = what.into();
            let words = change_words(&change);
            assert_ne!(words.zh, what);
            assert!(!words.zh.is_ascii());
        }
    }
}
