//! A message in words on the terminal: for `decode` and `tail`.

use crate::decode::Understanding;
use crate::telemetry::Lang;

/// The lines that tell what is understood.
pub(super) fn lines(told: &Understanding, lang: Lang) -> Vec<String> {
    let zh = lang == Lang::Zh;
    let mut lines = Vec::new();
    let device = told
        .device
        .as_ref()
        .map_or_else(|| "–".to_owned(), ToString::to_string);
    let convention = told.convention.as_deref().unwrap_or("–");
    let kind = told.kind.as_deref().unwrap_or("");
    lines.push(format!(
        "{device}  {convention} {kind}  {}",
        result(told, zh)
    ));
    if let Some(online) = told.online {
        let words = match (online, zh) {
            (true, false) => "says that it is online",
            (false, false) => "says that it is offline",
            (true, true) => "报告在线",
            (false, true) => "报告离线",
        };
        lines.push(format!("  {words}"));
    }
    if let Some(identity) = &told.identity {
        let fields = serde_json::to_string(identity).unwrap_or_default();
        lines.push(format!(
            "  {}  {fields}",
            if zh { "身份" } else { "identity" }
        ));
    }
    for record in &told.records {
        let why = record.event_time_why.of(lang);
        let seq = record
            .seq
            .map_or_else(String::new, |seq| format!("  seq {seq}"));
        let event =
            record
                .event
                .as_ref()
                .map_or_else(String::new, |event| match &record.event_alias {
                    Some(alias) => format!("  {event} ({alias})"),
                    None => format!("  {event}"),
                });
        lines.push(format!("  {}  {why}{seq}{event}", record.event_time));
        for reading in &record.readings {
            let label = reading.label.as_ref().map_or("", |label| label.of(lang));
            let alias = reading.alias.as_deref().unwrap_or("–");
            let shown = reading.shown.as_deref().unwrap_or("–");
            let mark = if reading.out_of_range { "  !" } else { "" };
            lines.push(format!(
                "    {:<24} {:<12} {:<14} {shown:<14} {label}{mark}",
                reading.path, alias, reading.value
            ));
        }
    }
    if told.records_left_out > 0 {
        let n = told.records_left_out;
        lines.push(if zh {
            format!("  另有 {n} 条记录")
        } else {
            format!("  and {n} more records")
        });
    }
    for (index, detail) in &told.bad_records {
        lines.push(format!(
            "  {} {index}: {detail}",
            if zh { "记录" } else { "record" }
        ));
    }
    for hint in &told.hints {
        let meant = hint
            .did_you_mean
            .as_ref()
            .map_or_else(String::new, |meant| {
                if zh {
                    format!("是否指 {meant}？")
                } else {
                    format!(" Did you mean {meant}?")
                }
            });
        let stop = if zh { "。" } else { "." };
        lines.push(format!(
            "  {}: {}{stop}{meant}",
            hint.name.as_str(),
            hint.text.of(lang)
        ));
    }
    lines
}

fn result(told: &Understanding, zh: bool) -> String {
    let word = match (told.result.as_str(), zh) {
        ("decoded", false) => "understood",
        ("decoded", true) => "已解析",
        ("duplicate", false) => "received before",
        ("duplicate", true) => "重复",
        (_, false) => "refused",
        (_, true) => "被拒绝",
    };
    match (&told.reason, &told.detail) {
        (Some(reason), Some(detail)) => format!("{word}: {reason}: {detail}"),
        _ => word.to_owned(),
    }
}
