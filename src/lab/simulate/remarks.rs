//! What the people of the made-up desk write, in plain words, in English and in Chinese.
//!
//! No names, no places, no telephone numbers; every text fits any appliance.

/// On which occasion something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remark {
    /// The customer was called.
    Called,
    /// The customer was called because it is dangerous.
    CalledUrgently,
    /// The part that was waited for came.
    PartCame,
    /// The customer answered.
    Answered,
    /// A note to the verdict: repaired.
    Repaired,
    /// A note to the verdict: the customer needed an explanation.
    Explained,
    /// A note to the verdict: nothing was found.
    NothingFound,
    /// A note to a verdict that will turn out wrong.
    Reset,
    /// It came back.
    Again,
    /// The customer was asked afterwards.
    AllWell,
}

/// The texts for an occasion; at least one each.
#[expect(
    clippy::too_many_lines,
    reason = "a table of texts; apart they would be harder to compare"
)]
pub(super) const fn of(remark: Remark) -> &'static [(&'static str, &'static str)] {
    match remark {
        Remark::Called => &[
            (
                "Called. The customer had not noticed anything yet and is glad that we asked.",
                "已电话联系，客户尚未察觉异常，对我们主动来电表示感谢。",
            ),
            (
                "Called; the customer agrees to a visit this week, mornings are best.",
                "已联系客户，同意本周上门，上午较方便。",
            ),
            (
                "No answer at first, reached on the second try. They use it every day.",
                "首次未接，第二次接通。客户每天都在使用。",
            ),
        ],
        Remark::CalledUrgently => &[
            (
                "Called at once: do not use it, switch it off at the plug. The customer did so while on the phone.",
                "已立即致电：请勿使用并拔下电源插头。客户通话中已照做。",
            ),
            (
                "Reached the customer; nobody was hurt. It stays unplugged until we have been there.",
                "已联系上客户，无人受伤。上门前保持断电。",
            ),
        ],
        Remark::PartCame => &[
            (
                "The part is here, the visit can be agreed.",
                "备件已到，可以约上门时间。",
            ),
            ("Part received and checked.", "备件已收到并验货。"),
        ],
        Remark::Answered => &[
            (
                "The customer was away and has written back; a visit suits them.",
                "客户此前外出，现已回复，可以上门。",
            ),
            (
                "The customer called back and asks for an appointment.",
                "客户回电，要求预约上门。",
            ),
        ],
        Remark::Repaired => &[
            (
                "Part exchanged, tried out twice, values are back to normal.",
                "已更换备件，试机两次，数值恢复正常。",
            ),
            (
                "The old part was clearly worn. Exchanged, cleaned, tested with the customer.",
                "旧件明显磨损。已更换、清洁，并与客户一起测试。",
            ),
            (
                "Done; the display shows no fault, the customer is content.",
                "处理完毕，无故障显示，客户满意。",
            ),
        ],
        Remark::Explained => &[
            (
                "Explained on the phone how it is meant to be set. No visit needed.",
                "电话说明了正确的设置方法，无需上门。",
            ),
            (
                "It was used in a way the manual advises against; explained, agreed to watch it.",
                "使用方式与说明书不符，已解释，约定继续观察。",
            ),
        ],
        Remark::NothingFound => &[
            (
                "Looked at everything on site and measured: nothing found. Readings are normal today.",
                "现场全面检查并测量，未发现问题，今日数值正常。",
            ),
            ("Could not be reproduced.", "未能复现。"),
        ],
        Remark::Reset => &[
            (
                "Had the customer switch it off and on again; it seems well now.",
                "请客户断电重启，目前看来正常。",
            ),
            (
                "Guided the customer through a reset and a cleaning by phone.",
                "电话指导客户复位并清洁。",
            ),
        ],
        Remark::Again => &[
            (
                "It is back, the restart did not help. Someone has to go there with the part.",
                "问题再次出现，重启无效，需带备件上门。",
            ),
            (
                "Came back after the first attempt; visit ordered.",
                "首次处理后复发，已安排上门。",
            ),
        ],
        Remark::AllWell => &[
            ("Asked the day after: all is well.", "次日回访：一切正常。"),
            (
                "Customer confirms that it works as it should.",
                "客户确认使用正常。",
            ),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_occasion_has_words_in_both_languages() {
        let all = [
            Remark::Called,
            Remark::CalledUrgently,
            Remark::PartCame,
            Remark::Answered,
            Remark::Repaired,
            Remark::Explained,
            Remark::NothingFound,
            Remark::Reset,
            Remark::Again,
            Remark::AllWell,
        ];
        for remark in all {
            let texts = of(remark);
            assert!(!texts.is_empty());
            for (en, zh) in texts {
                assert!(en.is_ascii() && !en.is_empty(), "{en}");
                assert!(!zh.is_ascii(), "{zh}");
            }
        }
    }
}
