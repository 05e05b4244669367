//! Numbers of partitions by topic and partition: made once, asked for with every record.

use crate::shared::World;

/// The number of partitions that are none of ours.
pub(crate) const NOT_OURS: u16 = u16::MAX;

/// Partition numbers by the reader's own topic index.
pub(crate) fn numbers(topics: &[String], world: &World) -> Vec<Vec<u16>> {
    let of_topic = |name: &String| {
        let topic = world.topics.iter().position(|topic| topic.name == *name);
        let mut numbers = Vec::new();
        for (number, part) in (0u16..).zip(&world.parts) {
            if Some(usize::from(part.topic)) == topic {
                let place = usize::try_from(part.partition).unwrap_or(0);
                numbers.resize(numbers.len().max(place + 1), NOT_OURS);
                if let Some(known) = numbers.get_mut(place) {
                    *known = number;
                }
            }
        }
        numbers
    };
    topics.iter().map(of_topic).collect()
}

/// The same by the world's own topic index.
pub(crate) fn numbers_of_world(world: &World) -> Vec<Vec<u16>> {
    let names: Vec<String> = world.topics.iter().map(|topic| topic.name.clone()).collect();
    numbers(&names, world)
}

/// The number of a partition, if it is one of ours.
#[inline]
pub(crate) fn number(numbers: &[Vec<u16>], topic: u16, partition: i32) -> Option<u16> {
    let of_topic = numbers.get(usize::from(topic))?;
    of_topic.get(usize::try_from(partition).ok()?).copied().filter(|number| *number != NOT_OURS)
}

/// Topic and partition of a number.
pub(crate) fn place(numbers: &[Vec<u16>], part: u16) -> Option<(u16, i32)> {
    let of_topic =
        |(topic, of): (u16, &Vec<u16>)| Some((topic, i32::try_from(of.iter().position(|known| *known == part)?).ok()?));
    (0u16..).zip(numbers).find_map(of_topic)
}
