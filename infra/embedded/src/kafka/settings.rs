//! The broker's settings. What a topic keeps and for how long is set per topic by `bus`; here stand only the defaults.

use super::{KafkaPorts, SecureDoor};

/// After a kill the controller takes the broker before for alive until its session is over, and lets no new one in: this much
/// longer takes the start then. (A broker that ends cleanly says so, which needs `controlled.shutdown.enable`, on by default.)
const SESSION_MS: u32 = 3000;

/// `server.properties`.
///
/// `log` is a name inside of the data folder, where the broker is started: `log.dirs` is a list with commas, in a file that
/// knows no UTF-8, and a path of somebody's choice may hold anything.
pub(super) fn server_properties(ports: KafkaPorts, secure: Option<&SecureDoor>, log: &str) -> String {
    let KafkaPorts { client, controller } = ports;
    let door = secure.map(|door| format!(",SASL_SSL://127.0.0.1:{}", door.port)).unwrap_or_default();
    let settings_of_door = secure.map(of_door).unwrap_or_default();
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}{door}
advertised.listeners=PLAINTEXT://127.0.0.1:{client}{door}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
log.dirs={log}
auto.create.topics.enable=false
num.partitions=12
log.message.timestamp.type=LogAppendTime
log.retention.ms=604800000
log.retention.check.interval.ms=60000
log.segment.bytes=134217728
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=33554432
num.recovery.threads.per.data.dir=2
num.network.threads=2
num.io.threads=4
message.max.bytes=8388608
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms={SESSION_MS}
{settings_of_door}"
    )
}

/// Whose certificate a client sees there, and how it says who it is.
fn of_door(door: &SecureDoor) -> String {
    format!(
        "sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={}
",
        door.keystore
    )
}

/// Options of the Java machine: small, with a log that says when and what. Both compilers: the first alone starts half a second
/// sooner and then takes a third more of the cores.
pub(super) fn java_options(heap_mib: u32) -> Vec<String> {
    let logger = |key: &str, value: &str| format!("-Dorg.slf4j.simpleLogger.{key}={value}");
    vec![
        "-server".to_owned(),
        format!("-Xms{}m", heap_mib.min(64)),
        format!("-Xmx{heap_mib}m"),
        "-XX:+UseG1GC".to_owned(),
        "-XX:+ExitOnOutOfMemoryError".to_owned(),
        "-XX:-UsePerfData".to_owned(),
        "-Djava.net.preferIPv4Stack=true".to_owned(),
        "-Djava.awt.headless=true".to_owned(),
        logger("defaultLogLevel", "warn"),
        logger("log.kafka.server.KafkaRaftServer", "info"),
        logger("log.kafka.server.BrokerServer", "info"),
        logger("showDateTime", "true"),
        logger("dateTimeFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSZ"),
        logger("showThreadName", "false"),
        logger("levelInBrackets", "true"),
    ]
}

/// A cluster id as Kafka makes them: a random UUID in URL-safe base 64 without padding. Kafka refuses one that begins with `-`.
pub(super) fn cluster_id() -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let text = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default();
    let hex: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let number = u128::from_str_radix(&hex, 16).unwrap_or(0x4d6b_5533_4f45_5642_4e54_6377_4e54_4a45);
    // 128 bits are 21 digits of 6 bits and a last one that carries 2; its other 4 bits are 0.
    let digit = |shift: u32| (number.checked_shr(shift).unwrap_or(0) & 63) as usize;
    let mut digits: Vec<usize> = (0..21).map(|place| digit(122 - 6 * place)).collect();
    digits.push(((number & 3) << 4) as usize);
    let id: String = digits.into_iter().filter_map(|digit| DIGITS.get(digit).map(|byte| char::from(*byte))).collect();
    id.strip_prefix('-').map_or(id.clone(), |rest| format!("A{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_id_has_22_digits_and_is_new_each_time() {
        let (a, b) = (cluster_id(), cluster_id());
        assert_eq!((a.len(), b.len()), (22, 22));
        assert_ne!(a, b);
        assert!(!a.starts_with('-'));
    }

    #[test]
    fn the_java_machine_has_both_compilers_and_its_limit() {
        let options = java_options(300);
        for wanted in ["-server", "-Xmx300m", "-XX:+ExitOnOutOfMemoryError"] {
            assert!(options.iter().any(|option| option == wanted), "{wanted}");
        }
        assert!(!options.iter().any(|option| option.contains("TieredStopAtLevel")), "{options:?}");
    }

    #[test]
    fn only_loopback_is_named() {
        let text = server_properties(KafkaPorts { client: 1, controller: 2 }, None, "log");
        assert!(text.contains("listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2\n"));
        assert!(!text.contains("0.0.0.0") && text.contains("log.dirs=log\n"));
        let (keystore, user, password) = ("door.pem".to_owned(), "u".to_owned(), "hunter2".to_owned());
        let door = SecureDoor { port: 3, keystore, user, password };
        let text = server_properties(KafkaPorts { client: 1, controller: 2 }, Some(&door), "log");
        assert!(text.contains("advertised.listeners=PLAINTEXT://127.0.0.1:1,SASL_SSL://127.0.0.1:3\n"));
        assert!(text.contains("ssl.keystore.location=door.pem\n") && !text.contains("hunter2"));
    }
}
