//! The small pictures, and what all pictures have in common.

use super::*;

#[test]
fn a_bullet_has_its_fault_limit_at_the_same_place_always() {
    let one = Bullet {
        origin: 418.0,
        now: Some(684.0),
        warn: Some(543.0),
        fault: Some(669.0),
        level: BulletLevel::Fault,
        label: "Limescale: 684 J/K, fault limit 669 J/K",
    };
    let svg = bullet(&one);
    assert_eq!(attribute(&svg, "class"), Some("bullet"));
    assert_eq!(attribute(&svg, "viewBox"), Some("0 0 260 24"));
    assert_eq!(attribute(&svg, "role"), Some("img"));
    let lines = elements(&svg, "line");
    assert_eq!(attribute(lines[0], "x1"), Some("99.6"));
    assert_eq!(attribute(lines[1], "x1"), Some("200"));
    let bar = elements(&svg, "rect")[1];
    assert_eq!(attribute(bar, "class"), Some("b-bad"));
    assert_eq!(attribute(bar, "width"), Some("212"));
    // What falls towards its limit runs to the right as well.
    let falling = bullet(&Bullet {
        origin: 0.81,
        now: Some(0.58),
        warn: Some(0.65),
        fault: Some(0.53),
        level: BulletLevel::Warning,
        ..one
    });
    let lines = elements(&falling, "line");
    assert_eq!(attribute(lines[1], "x1"), Some("200"));
    let bar = elements(&falling, "rect")[1];
    assert_eq!(attribute(bar, "class"), Some("b-warn"));
}

#[test]
fn odd_bullets_break_nothing() {
    let odd = [f64::NAN, f64::INFINITY, 0.0, -1e300, 1e300];
    for now in odd {
        for limit in odd {
            for origin in odd {
                let svg = bullet(&Bullet {
                    origin,
                    now: Some(now),
                    warn: Some(limit),
                    fault: None,
                    level: BulletLevel::Fine,
                    label: "",
                });
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }
}

#[test]
fn a_sparkline_ends_at_its_newest_value_and_hides_from_readers() {
    let values: Vec<Option<f64>> = (0..1_000)
        .map(|at| (at % 250 != 0).then(|| f64::from(at % 17)))
        .collect();
    let svg = sparkline(&values);
    assert_eq!(attribute(&svg, "aria-hidden"), Some("true"));
    assert_eq!(attribute(&svg, "width"), Some("150"));
    assert_eq!(elements(&svg, "circle").len(), 1);
    for values in [vec![], vec![None], vec![Some(f64::NAN)], vec![Some(3.0)]] {
        assert!(sparkline(&values).ends_with("</svg>\n"));
    }
}

#[test]
fn a_meter_shows_every_share_that_is_not_zero() {
    let share = |kind, count| Share { kind, count };
    let shares = [
        share(ShareKind::Normal, 511),
        share(ShareKind::Pending, 0),
        share(ShareKind::Active, 1),
        share(ShareKind::Blind, 28),
    ];
    let svg = meter(&shares, "511 normal, 1 active, 28 blind");
    let bars = elements(&svg, "rect");
    assert_eq!(bars.len(), 3);
    let end: f64 = bars
        .iter()
        .map(|bar| {
            attribute(bar, "width")
                .expect("a width")
                .parse::<f64>()
                .expect("a number")
        })
        .sum();
    assert!((380.0..400.0).contains(&end), "{end}");
    assert!(meter(&[], "").ends_with("</svg>\n"));
    assert!(meter(&[share(ShareKind::Blind, u64::MAX)], "").ends_with("</svg>\n"));
}

#[test]
fn a_whisker_spans_its_likely_range() {
    for lang in LANGS {
        let svg = whisker(85.0, (73.0, 93.0), lang, "<85>");
        assert!(svg.contains("aria-label=\"&lt;85&gt;\""));
        assert_eq!(elements(&svg, "polyline").len(), 3);
        assert_eq!(elements(&svg, "circle").len(), 1);
    }
    assert!(!whisker(f64::NAN, (f64::NAN, 1e300), Lang::En, "").contains("NaN"));
}

#[test]
fn a_picture_has_a_view_and_light_colours_and_no_size_of_its_own() {
    let points = scale_points();
    let svg = line(&chart(&points, Lang::En), Size::Narrow);
    let open = svg.lines().next().expect("a line");
    assert!(
        open.starts_with(
            "<svg class=\"narrow\" viewBox=\"0 0 360 280\" role=\"img\" aria-label=\""
        ),
        "{open}"
    );
    assert!(!open.contains("width=") && !open.contains("xmlns"));
    assert!(
        svg.contains("class=\"c-line\" fill=\"none\" stroke=\"#0A5A66\" stroke-width=\"2\""),
        "{svg}"
    );
    assert!(
        !svg.contains("opacity=\"1\"") && !svg.contains("font-family") && !svg.contains(" dy=")
    );
    // One decimal at most.
    let long = svg.split(['"', ',', ' ']).find(|word| {
        word.split_once('.').is_some_and(|(whole, rest)| {
            rest.len() > 1
                && whole.parse::<f64>().is_ok()
                && rest.bytes().all(|b| b.is_ascii_digit())
        })
    });
    assert_eq!(long, None);
}

#[test]
fn the_same_numbers_give_the_same_picture() {
    let points = scale_points();
    let once = line(&chart(&points, Lang::Zh), Size::Wide);
    assert_eq!(once, line(&chart(&points, Lang::Zh), Size::Wide));
}
