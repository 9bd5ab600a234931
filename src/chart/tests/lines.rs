//! The line chart.

use super::*;
use crate::telemetry::{MINUTE_MS, SECOND_MS};

fn full<'a>(points: &'a [ChartPoint], limits: &'a [LimitLine], lang: Lang) -> LineChart<'a> {
    const HELD: [Held; 2] = [
        Held {
            span: Span {
                from: Timestamp::from_ms(1_768_665_600_000 + 46 * DAY_MS),
                to: Timestamp::from_ms(1_768_665_600_000 + 57 * DAY_MS),
            },
            level: Level::Warning,
        },
        Held {
            span: Span {
                from: Timestamp::from_ms(1_768_665_600_000 + 57 * DAY_MS),
                to: Timestamp::from_ms(1_768_665_600_000 + 58 * DAY_MS),
            },
            level: Level::Fault,
        },
    ];
    const MARKS: [Mark; 2] = [
        Mark {
            at: Timestamp::from_ms(1_768_665_600_000 + 46 * DAY_MS),
            kind: MarkKind::Opened,
        },
        Mark {
            at: Timestamp::from_ms(1_768_665_600_000 + 57 * DAY_MS),
            kind: MarkKind::Worsened,
        },
    ];
    LineChart {
        band: Some((386.0, 450.0)),
        limits,
        held: &HELD,
        marks: &MARKS,
        ..chart(points, lang)
    }
}

#[test]
fn the_chart_of_the_guide_has_every_part_in_both_languages_and_all_sizes() {
    let (points, limits) = (scale_points(), limits());
    for lang in LANGS {
        for size in SIZES {
            let svg = line(&full(&points, &limits, lang), size);
            assert_labels_are_apart(&svg, size);
            for class in [
                "c-held",
                "c-held2",
                "c-band",
                "c-grid",
                "c-axis",
                "c-warn",
                "c-limit",
                "c-mark",
                "c-line",
                "c-now",
                "c-t",
                "c-band-t",
                "c-warn-t",
                "c-limit-t",
            ] {
                assert!(svg.contains(&format!("class=\"{class}\"")), "{class} {svg}");
            }
            let words = match lang {
                Lang::En => ["opened 5 Mar 00:00", "worse 16 Mar 00:00", "its own normal"],
                Lang::Zh => ["3月5日 00:00 开单", "3月16日 00:00 加重", "本机正常范围"],
            };
            for word in words {
                assert!(svg.contains(&format!(">{word}</text>")), "{word} {svg}");
            }
        }
        let wide = line(&full(&points, &limits, lang), Size::Wide);
        let words = match lang {
            Lang::En => [
                "warning limit 543\u{a0}J/K (+30\u{a0}%)",
                "fault limit 669\u{a0}J/K (+60\u{a0}%)",
                "386 to 450\u{a0}J/K",
                "over a limit",
                "12\u{a0}d",
                "19 Jan",
            ],
            Lang::Zh => [
                "预警限 543\u{a0}J/K（+30%）",
                "故障限 669\u{a0}J/K（+60%）",
                "386～450\u{a0}J/K",
                "持续超限",
                "12\u{a0}天",
                "1月19日",
            ],
        };
        for word in words {
            assert!(wide.contains(&format!(">{word}</text>")), "{word} {wide}");
        }
    }
}

#[test]
fn the_story_tells_the_numbers_and_when_each_limit_was_passed() {
    let (points, limits) = (scale_points(), limits());
    let told = story(&full(&points, &limits, Lang::En));
    assert!(
        told.starts_with(
            "Line chart, 18 Jan to 17 Mar. Heat needed per kelvin: 410\u{a0}J/K at the start"
        ),
        "{told}"
    );
    assert!(
        told.contains("Its own normal is 386 to 450\u{a0}J/K."),
        "{told}"
    );
    assert!(
        told.contains("Warning limit 543\u{a0}J/K (+30\u{a0}%): passed on"),
        "{told}"
    );
    assert!(told.contains("Opened 5 Mar 00:00."), "{told}");
    let low = LimitLine {
        value: 300.0,
        bad_above: false,
        ..limits[0]
    };
    let told = story(&full(&points, &[low], Lang::Zh));
    assert!(
        told.contains("预警限 300\u{a0}J/K（+30%）：未越过。"),
        "{told}"
    );
}

#[test]
fn what_covers_comes_before_what_it_would_hide() {
    let (points, limits) = (scale_points(), limits());
    let svg = line(&full(&points, &limits, Lang::En), Size::Wide);
    let at = |text: &str| svg.find(text).unwrap_or_else(|| panic!("{text} in {svg}"));
    let order = [
        "class=\"c-held\"",
        "class=\"c-band\"",
        "class=\"c-grid\"",
        "class=\"c-axis\"",
        "class=\"c-warn\"",
        "class=\"c-line\"",
        "class=\"c-now\"",
        "<text",
    ];
    assert!(order.windows(2).all(|pair| at(pair[0]) < at(pair[1])));
}

#[test]
fn a_blind_span_and_a_long_silence_are_gaps() {
    let points = scale_points();
    let blind = [Span {
        from: START + 475 * HOUR_MS,
        to: START + 478 * HOUR_MS,
    }];
    let base = chart(&points, Lang::En);
    let runs = |chart: &LineChart<'_>| {
        let svg = line(chart, Size::Wide);
        svg.matches("class=\"c-line\"").count()
    };
    assert_eq!(runs(&base), 1);
    let blinded = LineChart {
        blind: &blind,
        ..base.clone()
    };
    assert_eq!(runs(&blinded), 2);
    let gaps = LineChart {
        gap_ms: Some(9 * HOUR_MS),
        ..base
    };
    assert_eq!(runs(&gaps), points.len());
}

#[test]
fn ten_thousand_points_are_thinned_and_the_one_peak_is_kept() {
    let mut points: Vec<ChartPoint> = (0..10_000)
        .map(|at| ChartPoint::single(START + at * 8 * MINUTE_MS, 40.0))
        .collect();
    points[5_003].max = 61.0;
    for size in SIZES {
        let chart = LineChart {
            unit: "°C",
            ..chart(&points, Lang::En)
        };
        let svg = line(&chart, size);
        assert!(svg.len() < 20_000, "{}", svg.len());
        let outline = elements(&svg, "polygon");
        assert_eq!(outline.len(), 1);
        let line_y = |element: &str| -> Vec<f64> {
            attribute(element, "points")
                .expect("points")
                .split(' ')
                .map(|pair| {
                    pair.split_once(',')
                        .expect("a pair")
                        .1
                        .parse()
                        .expect("a number")
                })
                .collect()
        };
        let peak = line_y(outline[0]).into_iter().fold(f64::MAX, f64::min);
        let flat = elements(&svg, "polyline")
            .into_iter()
            .find(|element| element.contains("c-line"))
            .map(line_y)
            .expect("a line");
        assert!(peak < flat.iter().copied().fold(f64::MAX, f64::min) - 50.0);
        assert_labels_are_apart(&svg, size);
    }
}

#[test]
fn odd_values_break_nothing() {
    let single = |value| vec![ChartPoint::single(START + DAY_MS, value)];
    let odd: Vec<Vec<ChartPoint>> = vec![
        vec![],
        single(0.0),
        single(f64::NAN),
        single(f64::INFINITY),
        single(-49.25),
        single(1e300),
        vec![
            ChartPoint::single(START, -1e99),
            ChartPoint::single(START + DAY_MS, 1e99),
        ],
        (0..50)
            .map(|at| ChartPoint::single(START + at * DAY_MS, 37.0))
            .collect(),
        (0..50)
            .map(|at: i32| ChartPoint::single(START + i64::from(at) * DAY_MS, 1e-7 * f64::from(at)))
            .collect(),
        (0..50)
            .map(|at| ChartPoint::single(START - at * DAY_MS, 1.0))
            .collect(),
        vec![
            ChartPoint::single(Timestamp::MIN, 1.0),
            ChartPoint::single(Timestamp::MAX, 2.0),
        ],
    ];
    let wild = [LimitLine {
        level: Level::Fault,
        value: f64::NAN,
        relative_pct: Some(f64::NAN),
        bad_above: true,
    }];
    for points in &odd {
        for lang in LANGS {
            for size in SIZES {
                for (band, limits) in [
                    (None, &[][..]),
                    (Some((f64::NAN, 1.0)), &wild[..]),
                    (Some((1.0, 1.0)), &limits()[..]),
                ] {
                    let chart = LineChart {
                        band,
                        limits,
                        from_zero: true,
                        ..chart(points, lang)
                    };
                    let svg = line(&chart, size);
                    assert!(svg.ends_with("</svg>\n"));
                    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
                    assert_labels_are_apart(&svg, size);
                }
            }
        }
    }
}

#[test]
fn impossible_spans_break_nothing() {
    let points = scale_points();
    for (from, to) in [
        (START, START),
        (START + DAY_MS, START),
        (Timestamp::MIN, Timestamp::MAX),
    ] {
        let chart = LineChart {
            from,
            to,
            ..chart(&points, Lang::Zh)
        };
        assert_labels_are_apart(&line(&chart, Size::Wide), Size::Wide);
    }
}

#[test]
fn crowded_markers_and_limits_stay_legible() {
    let points = scale_points();
    let marks: Vec<Mark> = (0..30)
        .map(|at| Mark {
            at: START + 40 * DAY_MS + at * HOUR_MS,
            kind: MarkKind::Reopened,
        })
        .collect();
    for gap in [0.0, 1.0, 20.0] {
        let limits = [
            LimitLine {
                value: 600.0,
                ..limits()[0]
            },
            LimitLine {
                value: 600.0 + gap,
                ..limits()[1]
            },
        ];
        for lang in LANGS {
            for size in SIZES {
                let chart = LineChart {
                    marks: &marks,
                    limits: &limits,
                    band: Some((595.0, 605.0)),
                    ..chart(&points, lang)
                };
                assert_labels_are_apart(&line(&chart, size), size);
            }
        }
    }
}

#[test]
fn a_scald_is_told_to_the_second() {
    let points: Vec<ChartPoint> = (0..60)
        .map(|at| ChartPoint::single(START + at * SECOND_MS, if at < 30 { 38.0 } else { 49.3 }))
        .collect();
    let limits = [LimitLine {
        value: 48.0,
        relative_pct: None,
        ..limits()[1]
    }];
    let chart = LineChart {
        unit: "°C",
        to: START + 60 * SECOND_MS,
        limits: &limits,
        ..chart(&points, Lang::En)
    };
    let svg = line(&chart, Size::Wide);
    assert!(svg.contains(">00:00:10</text>"), "{svg}");
    assert!(svg.contains(">fault limit 48\u{a0}°C</text>"), "{svg}");
    assert!(svg.contains(">last 00:00:59</text>"), "{svg}");
}

#[test]
fn hostile_text_stays_text() {
    let points = scale_points();
    let evil = "</text><script>alert(1)</script>\n\u{0}\"'&";
    let chart = LineChart {
        name: evil,
        unit: "\"><b>",
        ..chart(&points, Lang::En)
    };
    for size in SIZES {
        let svg = line(&chart, size);
        assert!(!svg.contains("<script") && !svg.contains("<b>"), "{svg}");
        assert!(svg.contains("&lt;b&gt;"), "{svg}");
        assert!(!svg.contains('\u{0}'));
    }
}
