//! The profile of the daemon's double: one signal, one fault, one part.

use crate::profile::{
    Cadence, Cond, Dim, Fault, Part, Program, Recheck, RuleState, Severity, Signal, SignalKind,
    StageRule, StaleAfter, Unit,
};
use crate::telemetry::Text;

/// It knows one model.
pub(super) fn program() -> Program {
    let unit = Unit {
        symbol: "°C".into(),
        scale: 1.0,
        dim: Dim::default(),
    };
    let stage = StageRule {
        when: Cond::All(vec![Cond::Has(0), Cond::Not(Box::new(Cond::Has(0)))]),
        gate: None,
        severity: Severity::S3,
        latched: false,
        action: "descale".into(),
        message: Some("M14".into()),
        keep_ms: 0,
    };
    Program {
        archetype: None,
        maintainers: vec![],
        model: "ts-flash5".into(),
        kind: "toilet seat".into(),
        name: Text::new("Flash 5", "闪电 5"),
        version: "1".into(),
        profile_version: "0123456789ab".into(),
        plausible_past_ms: 0,
        plausible_future_ms: 0,
        limits: Vec::new(),
        signals: vec![Signal {
            name: "outlet".into(),
            path: "water.out_c".into(),
            label: Text::new("Outlet", "出水"),
            unit,
            kind: SignalKind::Gauge,
            scale: 1.0,
            offset: 0.0,
            range: None,
            no_value: Vec::new(),
            default: None,
            cadence: Cadence::Change,
            stale_after: StaleAfter::Never,
            store_text: false,
            hash: 1,
        }],
        events: Vec::new(),
        sessions: Vec::new(),
        derives: Vec::new(),
        nodes: Vec::new(),
        steps: Vec::new(),
        terms: Vec::new(),
        faults: vec![scale(stage)],
        parts: vec![Part {
            number: "FILTER-F5".into(),
            title: Text::new("Filter", "滤芯"),
            resets: Vec::new(),
        }],
    }
}

fn scale(warn: StageRule) -> Fault {
    Fault {
        label: None,
        name: "scale".into(),
        code: "TF3".into(),
        title: Text::new("Limescale", "结垢"),
        warn: Some(warn),
        fault: None,
        clear: Cond::Const(true),
        recheck: Recheck::Span(1),
        reason: None,
        cause: "scale".into(),
        parts: vec!["FILTER-F5".into()],
        absorbs: Vec::new(),
        sensor_of: Vec::new(),
        inhibited_by: Vec::new(),
        state: RuleState::Live,
        signals: vec![0],
        nodes: Vec::new(),
        written: Vec::new(),
        hash: 1,
    }
}
