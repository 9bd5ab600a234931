//! What a device of the shipped profile with most faults says in a day of use.

/// Between two washes, s.
pub(crate) const EVERY: f64 = 6.0 * 3_600.0;

/// What one device says, as seconds from the first word and the signals.
pub(crate) fn moments(washes: u32) -> Vec<(f64, String)> {
    let mut moments = Vec::new();
    for wash in 0..washes {
        let start = f64::from(wash) * EVERY;
        for minute in 0..30 {
            moments.push((start + f64::from(minute) * 60.0, idle(wash, minute)));
        }
        let start = start + 1_800.0;
        for second in 0..45 {
            moments.push((start + f64::from(second), washing(second)));
        }
        for second in 45..65 {
            moments.push((start + f64::from(second), drying(second)));
        }
        moments.push((start + 65.0, after(wash)));
    }
    moments
}

/// What it says every minute while nobody is there.
pub(crate) fn idle(wash: u32, minute: i32) -> String {
    let room = 20.0 + f64::from(minute % 5) / 10.0;
    let used = f64::from(wash) * 0.4;
    format!(
        r#""function":"idle","water.in_c":{room:.1},"water.out_c":{room:.1},"water.set_c":38,"water.flow_lpm":0,"heater.power_w":0,"heater.cmd_w":0,"seat.temp_c":{:.1},"seat.set_c":34,"seat.duty_pct":12,"seat.occupied":false,"leak.ma":0.1{},"room.c":{room:.1},"mains.v":231,"water.total_l":{used:.1},"heater.overheat_trips":0,"count.wash":{wash},"filter.life_pct":90,"rssi":-60"#,
        34.0 + f64::from(minute % 7) / 10.0,
        minute % 9
    )
}

fn washing(second: i32) -> String {
    let wobble = f64::from(second % 6) / 10.0;
    let out = (20.0 + 2.0 * f64::from(second)).min(37.8) + wobble;
    format!(
        r#""function":"wash","seat.occupied":true,"water.level":3,"water.in_c":17.5,"water.out_c":{out:.1},"water.set_c":38,"water.flow_lpm":{:.2},"heater.power_w":{:.1},"heater.cmd_w":700"#,
        0.48 + wobble / 20.0,
        690.0 + wobble
    )
}

fn drying(second: i32) -> String {
    format!(
        r#""function":"dry","water.flow_lpm":0,"heater.power_w":0,"heater.cmd_w":0,"dryer.air_c":{:.1},"dryer.fan_rpm":{},"dryer.set_rpm":4000,"dryer.heater_w":320"#,
        48.0 + f64::from(second % 5) / 10.0,
        3_950 + second
    )
}

fn after(wash: u32) -> String {
    format!(
        r#""function":"idle","seat.occupied":false,"nozzle.ext_s":5.1,"nozzle.ret_s":6.0,"nozzle.retries":0,"nozzle.out":false,"pump.ma":410,"count.wash":{}"#,
        wash + 1
    )
}
