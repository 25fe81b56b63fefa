//! What one property holds, by what it should hold.

use fathom_model::state::Value;

use crate::bag::Raw;
use crate::codes::Codes;
use crate::schema::Take;

/// One property by what it should hold; else why it holds none.
pub(super) fn take(raw: &Raw, take: Take) -> Result<Value, String> {
    match raw {
        Raw::Null => return Err("null".to_owned()),
        Raw::Broken(why) => return Err((*why).to_owned()),
        _ => {}
    }
    // A list that was printed stays one wherever its text is put: what of it was cut off is not a part of it.
    let is_list = matches!(take, Take::Texts | Take::Codes(_) | Take::Counts | Take::Bools);
    let printed = match raw {
        Raw::Text(text) if is_list && text.trim().starts_with('{') => Some(crate::text::value(text.trim())),
        _ => None,
    };
    let raw = match &printed {
        Some(Raw::Broken(why)) => return Err((*why).to_owned()),
        Some(list) => list,
        None => raw,
    };
    match take {
        Take::Bool => flag(raw).map(Value::Bool),
        Take::Count => count(raw),
        Take::Number => whole(raw),
        Take::Bytes => match raw {
            Raw::Text(text) if text.trim().contains(' ') => bytes_of_text(text),
            _ => match whole(raw)? {
                Value::Signed(number) => Err(format!("{number} is no size")),
                value => Ok(value),
            },
        },
        Take::Percent(most) => match whole(raw)? {
            Value::Unsigned(percent) if percent <= most => Ok(Value::Unsigned(percent)),
            other => Err(format!("{other} is no share: it is at most {most} %")),
        },
        Take::Flags(names) => flags(raw, names),
        Take::BitsPerSecond => match raw {
            Raw::Text(text) if text.trim().contains(' ') => bits_of_text(text),
            _ => count(raw),
        },
        Take::Celsius => match whole(raw)? {
            Value::Unsigned(0) => Err("0, by which drives say that they do not know".to_owned()),
            Value::Unsigned(celsius) if celsius > HOTTEST => Err(too_hot(celsius)),
            value => Ok(value),
        },
        Take::Kelvin => match whole(raw)? {
            Value::Unsigned(0) => Err("0, by which drives say that they do not know".to_owned()),
            Value::Unsigned(kelvin) if kelvin > HOTTEST + 273 => Err(too_hot(kelvin - 273)),
            // As drives' own tools take it: whole kelvin have no quarters of a degree.
            Value::Unsigned(kelvin) if kelvin >= 273 => Ok(Value::Unsigned(kelvin - 273)),
            Value::Unsigned(kelvin) => Ok(Value::Signed(kelvin as i64 - 273)),
            _ => Err(wrong(raw, "a temperature")),
        },
        Take::DataUnits => match whole(raw)? {
            Value::Unsigned(0) => Err("0, by which drives say that they do not count it".to_owned()),
            Value::Unsigned(units) => units
                .checked_mul(512_000)
                .map(Value::Unsigned)
                .ok_or_else(|| format!("{units} units of 512,000 bytes are beyond 64 bits")),
            _ => Err(wrong(raw, "a number of units")),
        },
        Take::Bits(codes) => match whole(raw)? {
            Value::Unsigned(bits) => {
                let set = (0..64).map(|bit| 1_u64 << bit).filter(|bit| bits & bit != 0);
                // The highest bit has no number of its sign; nobody has named it.
                let set = set.map(|bit| Value::Code(codes.of_number(bit as i64)));
                Ok(Value::List(set.collect()))
            }
            _ => Err(wrong(raw, "a number of bits")),
        },
        Take::Text => text(raw),
        Take::Texts => list(raw, text),
        Take::Code(codes) => code(raw, codes),
        Take::Codes(codes) => match raw {
            // Cmdlets show several as one text.
            Raw::Text(text) if text.contains(',') => {
                let each = text
                    .split(',')
                    .map(|part| code(&Raw::Text(part.trim().to_owned()), codes));
                each.collect::<Result<Vec<_>, _>>().map(Value::List)
            }
            _ => list(raw, |item| code(item, codes)),
        },
        Take::Interval => interval(raw),
        Take::Counts => match raw {
            // `0-3,5-7`, as cmdlets show priorities.
            Raw::Text(text) => ranges(text).ok_or_else(|| wrong(raw, "a list of numbers")),
            _ => list(raw, count),
        },
        Take::Bools => list(raw, |item| flag(item).map(Value::Bool)),
    }
}

/// No drive works that is hotter: what says so has not measured it.
const HOTTEST: u64 = 200;

fn too_hot(celsius: u64) -> String {
    format!("{celsius} \u{b0}C is no temperature of a drive")
}

/// Which of several flags within an object are set; one that is not given, or null, is not among them.
fn flags(raw: &Raw, names: &[(&str, &str)]) -> Result<Value, String> {
    let Raw::Object(bag) = raw else {
        return Err(wrong(raw, "an object of flags"));
    };
    let given = names.iter().filter_map(|(from, to)| Some((bag.get(from)?, to)));
    let given: Vec<(&Raw, &&str)> = given.filter(|(value, _)| !matches!(value, Raw::Null)).collect();
    if given.is_empty() {
        return Err("none of its flags is given".to_owned());
    }
    let mut set = Vec::new();
    for (value, to) in given {
        if flag(value)? {
            set.push(Value::from(*to));
        }
    }
    Ok(Value::List(set))
}

fn wrong(raw: &Raw, wanted: &str) -> String {
    match raw {
        Raw::Text(text) => format!("`{}` is not {wanted}", text.trim()),
        other => format!("{} and not {wanted}", other.what()),
    }
}

fn list(raw: &Raw, item: impl Fn(&Raw) -> Result<Value, String>) -> Result<Value, String> {
    match raw {
        Raw::List(items) => {
            let items: Result<Vec<Value>, String> = items
                .iter()
                .map(|raw| match raw {
                    Raw::Null => Err("a null within the list".to_owned()),
                    Raw::Broken(why) => Err((*why).to_owned()),
                    _ => item(raw),
                })
                .collect();
            items.map(Value::List)
        }
        one => Ok(Value::List(vec![item(one)?])),
    }
}

fn flag(raw: &Raw) -> Result<bool, String> {
    match raw {
        Raw::Bool(value) => Ok(*value),
        Raw::Integer(0) => Ok(false),
        Raw::Integer(1) => Ok(true),
        Raw::Text(text) if text.trim().eq_ignore_ascii_case("true") => Ok(true),
        Raw::Text(text) if text.trim().eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(wrong(raw, "yes or no")),
    }
}

/// A whole number of something: there are not fewer than none.
fn count(raw: &Raw) -> Result<Value, String> {
    match whole(raw)? {
        Value::Signed(number) => Err(format!("{number} is no count")),
        value => Ok(value),
    }
}

fn whole(raw: &Raw) -> Result<Value, String> {
    let number = match raw {
        Raw::Integer(number) => *number,
        // WMI gives 64 bits as text, and flags are shown as hexadecimal.
        Raw::Text(text) => number_of_text(text).ok_or_else(|| wrong(raw, "a whole number"))?,
        Raw::Real(value) if value.fract() == 0.0 && value.abs() < 9e15 => *value as i128,
        _ => return Err(wrong(raw, "a whole number")),
    };
    if let Ok(number) = u64::try_from(number) {
        return Ok(Value::Unsigned(number));
    }
    i64::try_from(number)
        .map(Value::Signed)
        .map_err(|_| format!("{number} is beyond 64 bits"))
}

/// A number in decimal or, as flags and statuses are written, in hexadecimal.
fn number_of_text(text: &str) -> Option<i128> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => i128::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn text(raw: &Raw) -> Result<Value, String> {
    match raw {
        Raw::Text(text) if text.trim().is_empty() => Err("blank".to_owned()),
        Raw::Text(text) => Ok(Value::Text(text.trim().to_owned())),
        Raw::Integer(number) => Ok(Value::Text(number.to_string())),
        Raw::Object(bag) => bag.text("name").map(Value::Text).ok_or_else(|| wrong(raw, "a text")),
        // Lists of one are shown as the one.
        Raw::List(items) if items.len() == 1 => text(&items[0]),
        _ => Err(wrong(raw, "a text")),
    }
}

fn code(raw: &Raw, codes: &Codes) -> Result<Value, String> {
    let code = match raw {
        Raw::Integer(number) => {
            let number = i64::try_from(*number).map_err(|_| format!("{number} is beyond 64 bits"))?;
            // WMI gives -1 as the largest 32-bit number.
            codes.of_number(if number == i64::from(u32::MAX) { -1 } else { number })
        }
        Raw::Text(text) if text.trim().is_empty() => return Err("blank".to_owned()),
        Raw::Text(text) => match number_of_text(text).and_then(|number| i64::try_from(number).ok()) {
            Some(number) => codes.of_number(number),
            None => codes.of_name(text.trim()),
        },
        // An enumeration of CLIXML: the class's own name of the number goes before what was shown.
        Raw::Object(bag) => {
            let Some(Raw::Integer(number)) = bag.get("value") else {
                return Err(wrong(raw, "a value of an enumeration"));
            };
            let mut code = codes.of_number(i64::try_from(*number).map_err(|_| format!("{number} is beyond 64 bits"))?);
            code.name = code.name.or_else(|| bag.text("name"));
            code
        }
        Raw::List(items) if items.len() == 1 => return code(&items[0], codes),
        _ => return Err(wrong(raw, "a value of an enumeration")),
    };
    Ok(Value::Code(code))
}

/// A size as people read it: `0 B` is exact, `3.49 TB` is not and stays unknown.
fn bytes_of_text(text: &str) -> Result<Value, String> {
    let wrong = || format!("`{}` is no size", text.trim());
    let (number, unit) = text.trim().split_once(' ').ok_or_else(wrong)?;
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    match unit.trim() {
        "B" | "bytes" if number.fract() == 0.0 && number >= 0.0 => Ok(Value::Unsigned(number as u64)),
        "KB" | "MB" | "GB" | "TB" | "PB" => Err(format!("rounded for display: {}", text.trim())),
        _ => Err(wrong()),
    }
}

/// A speed as people read it; `32 Gbps` is exact, as link speeds are.
fn bits_of_text(text: &str) -> Result<Value, String> {
    let wrong = || format!("`{}` is no speed", text.trim());
    let (number, unit) = text.trim().split_once(' ').ok_or_else(wrong)?;
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let factor = match unit.trim() {
        "bps" => 1.0,
        "Kbps" => 1e3,
        "Mbps" => 1e6,
        "Gbps" => 1e9,
        _ => return Err(wrong()),
    };
    let bits = number * factor;
    if bits.fract() == 0.0 && (0.0..9e15).contains(&bits) {
        return Ok(Value::Unsigned(bits as u64));
    }
    Err(wrong())
}

/// Priorities as cmdlets show them.
fn ranges(text: &str) -> Option<Value> {
    let mut numbers = Vec::new();
    for part in text.split([',', ' ']).filter(|part| !part.is_empty()) {
        let (from, until) = part.split_once('-').unwrap_or((part, part));
        let (from, until): (u8, u8) = (from.trim().parse().ok()?, until.trim().parse().ok()?);
        if from > until {
            return None;
        }
        numbers.extend((from..=until).map(|number| Value::Unsigned(number.into())));
    }
    (!numbers.is_empty()).then_some(Value::List(numbers))
}

/// A length of time in nanoseconds: `00000000000125.000000:000` (CIM), `00:01:19`, `1.00:01:19.5`, `PT1M19S`, an object of
/// `ConvertTo-Json` with Ticks of 100 ns.
fn interval(raw: &Raw) -> Result<Value, String> {
    let nanos = match raw {
        Raw::Object(bag) => match bag.get("Ticks") {
            Some(Raw::Integer(ticks)) => u64::try_from(*ticks).ok().and_then(|ticks| ticks.checked_mul(100)),
            _ => None,
        },
        Raw::Text(text) => interval_of_text(text.trim()),
        _ => None,
    };
    nanos.map(Value::Unsigned).ok_or_else(|| wrong(raw, "a length of time"))
}

fn interval_of_text(text: &str) -> Option<u64> {
    const SECOND: u64 = 1_000_000_000;
    if let Some(stem) = text.strip_suffix(":000") {
        // ddddddddhhmmss.mmmmmm
        let digits = |from: usize, until: usize| stem.get(from..until)?.parse::<u64>().ok();
        let (days, hours, minutes, seconds) = (digits(0, 8)?, digits(8, 10)?, digits(10, 12)?, digits(12, 14)?);
        let micros = stem
            .get(14..)?
            .strip_prefix('.')?
            .replace('*', "0")
            .parse::<u64>()
            .ok()?;
        let seconds = ((days.checked_mul(24)? + hours).checked_mul(60)? + minutes).checked_mul(60)? + seconds;
        return seconds.checked_mul(SECOND)?.checked_add(micros.checked_mul(1000)?);
    }
    if text.starts_with('P') {
        let span: jiff::SignedDuration = text.parse().ok()?;
        return u64::try_from(span.as_nanos()).ok();
    }
    let (days, clock) = match text.split_once(':')?.0.split_once('.') {
        Some((days, _)) => (days.parse::<u64>().ok()?, text.split_once('.')?.1),
        None => (0, text),
    };
    let mut parts = clock.split(':');
    let (hours, minutes) = (parts.next()?.parse::<u64>().ok()?, parts.next()?.parse::<u64>().ok()?);
    let (seconds, fraction) = parts.next().map(|rest| rest.split_once('.').unwrap_or((rest, "0")))?;
    if parts.next().is_some() || fraction.len() > 9 {
        return None;
    }
    let nanos = fraction
        .parse::<u64>()
        .ok()?
        .checked_mul(10_u64.pow(9 - fraction.len() as u32))?;
    let seconds = days
        .checked_mul(86_400)?
        .checked_add(hours.checked_mul(3600)? + minutes.checked_mul(60)? + seconds.parse::<u64>().ok()?)?;
    seconds.checked_mul(SECOND)?.checked_add(nanos)
}
