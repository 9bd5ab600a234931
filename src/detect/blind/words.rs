//! The reasons in words, for people: in English and Chinese.
//!
//! Leaves times to whoever shows them, in the reader's zone.

use std::fmt;

use super::{Blind, Learning};
use crate::telemetry::{Lang, Text};

impl Blind {
    /// One short sentence without a full stop.
    #[must_use]
    pub fn text(&self) -> Text {
        Text::new(self.of(Lang::En), self.of(Lang::Zh))
    }

    fn of(&self, lang: Lang) -> String {
        let zh = lang == Lang::Zh;
        match self {
            Self::Frozen if zh => "内部错误后已冻结，下次启用型号档案时恢复判断".to_owned(),
            Self::Frozen => {
                "frozen after an internal error, judged again when profiles are next activated"
                    .to_owned()
            }
            Self::HeldBack { title, .. } if zh => format!("故障“{}”触发期间不判断", title.zh),
            Self::HeldBack { title, .. } => {
                format!("not judged while “{}” is there", title.en)
            }
            Self::NotNow { label } if label.is_empty() => if zh {
                "只在特定工况下判断，当前不是"
            } else {
                "judged in another situation only"
            }
            .to_owned(),
            Self::NotNow { label } if zh => format!("{}：当前工况下没有取值", label.zh),
            Self::NotNow { label } => format!("{}: no value in this situation", label.en),
            Self::Unseen { label, .. } if zh => format!("{}：从未上报", label.zh),
            Self::Unseen { label, .. } => format!("{}: never told", label.en),
            Self::Stale { label, .. } if zh => format!("{}：没有最新读数", label.zh),
            Self::Stale { label, .. } => format!("{}: no fresh reading", label.en),
            Self::Invalid { label, .. } if zh => format!("{}：读数超出传感器量程", label.zh),
            Self::Invalid { label, .. } => {
                format!("{}: reading outside the sensor’s range", label.en)
            }
            Self::Learning(learning) => learning.of(lang),
            Self::NoResult { term, .. } if term.is_empty() => if zh {
                "尚无数据"
            } else {
                "nothing was seen yet"
            }
            .to_owned(),
            Self::NoResult { term, .. } if zh => format!("{term} 目前没有结果"),
            Self::NoResult { term, .. } => format!("{term} gives nothing now"),
        }
    }
}

impl Learning {
    fn of(&self, lang: Lang) -> String {
        let Self {
            label, have, need, ..
        } = self;
        match lang {
            Lang::Zh => format!("{}：已有 {have} 个值，需要 {need} 个", label.zh),
            Lang::En => format!("{}: {have} of {need} values", label.en),
        }
    }
}

/// For engineers' tools.
impl fmt::Display for Blind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.of(Lang::En))
    }
}
