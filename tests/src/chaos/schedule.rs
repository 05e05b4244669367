//! What is done, and in which order.

use super::Dice;
use serde::Serialize;

/// How often each fault happens, as planned or as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// SIGKILL of the stream.
    pub stream: u32,
    /// SIGKILL of the archive.
    pub archive: u32,
    /// SIGKILL of ClickHouse.
    pub clickhouse: u32,
    /// SIGKILL of Kafka.
    pub kafka: u32,
    /// SIGSTOP, a second process, SIGCONT.
    pub zombie: u32,
    /// Inserts cut off before ClickHouse had all of them.
    pub cut_before: u32,
    /// Replies to inserts that were kept back.
    pub cut_after: u32,
    /// SIGTERM.
    pub sigterm: u32,
}

/// One thing that happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The stream is killed.
    Stream,
    /// The stream is killed, and again while it comes back.
    StreamTwice,
    /// The archive is killed.
    Archive,
    /// ClickHouse is killed and started again at once.
    ClickHouse,
    /// ClickHouse is away for this many seconds.
    ClickHouseAway(u64),
    /// ClickHouse is killed, and the stream while ClickHouse is away.
    ClickHouseAndStream,
    /// Kafka is killed and started again at once.
    Kafka,
    /// Kafka is killed, and the stream while Kafka is away.
    KafkaAndStream,
    /// The stream is stopped, another started, the stopped one goes on.
    ZombieStream,
    /// The same with the archive.
    ZombieArchive,
    /// The stream is told to end.
    TermStream,
    /// The archive is told to end.
    TermArchive,
    /// Nothing, for so many ms.
    Quiet(u64),
}

/// All faults of a plan but the cuts, which the door makes by itself, in random order. What is killed together counts twice.
pub(super) fn random(counts: &Counts, dice: &mut Dice) -> Vec<Fault> {
    let mut streams = counts.stream;
    let mut faults = Vec::new();
    let mut together = |number: u32, both: Fault, alone: Fault, faults: &mut Vec<Fault>| {
        let with_stream = number % 2 == 1 && streams > 0;
        streams -= u32::from(with_stream);
        faults.push(if with_stream { both } else { alone });
    };
    (0..counts.clickhouse).for_each(|n| together(n, Fault::ClickHouseAndStream, Fault::ClickHouse, &mut faults));
    (0..counts.kafka).for_each(|n| together(n, Fault::KafkaAndStream, Fault::Kafka, &mut faults));
    faults.extend((0..streams / 4).map(|_| Fault::StreamTwice));
    faults.extend((0..streams - streams / 4 * 2).map(|_| Fault::Stream));
    faults.extend((0..counts.archive).map(|_| Fault::Archive));
    faults.extend((0..counts.zombie).map(|n| if n % 4 == 3 { Fault::ZombieArchive } else { Fault::ZombieStream }));
    faults.extend((0..counts.sigterm).map(|n| if n % 2 == 1 { Fault::TermArchive } else { Fault::TermStream }));
    for place in (1..faults.len()).rev() {
        faults.swap(place, dice.roll(place as u64 + 1) as usize);
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_holds_what_was_planned_in_an_order_of_its_seed() {
        let counts =
            Counts { stream: 50, archive: 20, clickhouse: 20, kafka: 10, zombie: 20, sigterm: 50, ..Counts::default() };
        let of = |seed| random(&counts, &mut Dice::new(seed));
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        let all = of(3);
        let count = |faults: &[Fault]| all.iter().filter(|fault| faults.contains(fault)).count();
        let both = [Fault::ClickHouseAndStream, Fault::KafkaAndStream];
        assert_eq!(count(&[Fault::Stream]) + 2 * count(&[Fault::StreamTwice]) + count(&both), 50);
        assert_eq!(count(&[Fault::ClickHouse, Fault::ClickHouseAndStream]), 20);
        assert_eq!(count(&[Fault::Kafka, Fault::KafkaAndStream]), 10);
        assert_eq!(count(&[Fault::ZombieStream, Fault::ZombieArchive]), 20);
        assert_eq!(count(&[Fault::TermStream, Fault::TermArchive]), 50);
    }
}
