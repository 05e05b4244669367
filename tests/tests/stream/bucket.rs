//! A stream whose checkpoints lie in a bucket, as a process of its own: killed, it goes on from there.

use super::*;
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::{binary, parts::folder};
use std::path::Path;
use std::process::{Child, Stdio};

struct Process {
    child: Child,
    base: String,
}

impl Process {
    fn start(file: &Path, log: &Path, environment: &[(String, String)], port: u16) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(log).expect("log");
        let mut command = binary::gridwarden();
        command.arg("stream").arg("--config").arg(file).stdout(Stdio::null()).stderr(log);
        command.envs(environment.iter().map(|(key, value)| (key, value)));
        Self { child: command.spawn().expect("gridwarden starts"), base: format!("http://127.0.0.1:{port}/metrics") }
    }

    async fn figure(&self, name: &str) -> f64 {
        match reqwest::get(&self.base).await {
            Ok(answer) => sum(&answer.text().await.unwrap_or_default(), name),
            Err(_) => 0.0,
        }
    }

    async fn until(&self, name: &str, at_least: f64) {
        wait::until_async(&format!("{name} to reach {at_least}"), SOON, || async {
            let figure = self.figure(name).await;
            if figure >= at_least { Ok(()) } else { Err(figure.to_string()) }
        })
        .await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) async fn bucket_keeps_a_stream(test: &str, place: &str, environment: &[(String, String)]) {
    let parts = Parts::named(test);
    let (producer, city) = made(test, &parts, &[]).await;
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("port");
    let (kafka, clickhouse) = (&parts.kafka, &parts.clickhouse);
    let text = format!(
        "[http]\nlisten = \"{free}\"\n[kafka]\nbootstrap = \"{}\"\ntopic_prefix = \"{}\"\n[clickhouse]\nurl = \"{}\"\n\
         database = \"{}\"\n[city]\nfolder = \"{}\"\n[checkpoints]\nfolder = \"{place}\"\nevery_ms = 200\n[crashes]\nfolder = \"{}\"\n",
        kafka.bootstrap,
        kafka.topic_prefix,
        clickhouse.url,
        clickhouse.database,
        city.folder.display(),
        city.folder.with_file_name("crashes").display(),
    );
    let file = folder(test).join("stream.toml");
    std::fs::write(&file, text).expect("configuration");
    let start = || Process::start(&file, &folder(test).join("stream.log"), environment, free.port());
    let first = start();
    for number in 0..20u32 {
        observe(&producer, &format!("s{number}"), now_ms(), 0.5, 1.0).await;
    }
    first.until("gridwarden_stream_records_accepted_total", 20.0).await;
    let written = first.figure("gridwarden_stream_checkpoints_total").await;
    // The first that is written from now on may have been begun before.
    first.until("gridwarden_stream_checkpoints_total", written + 2.0).await;
    drop(first);
    let second = start();
    second.until("gridwarden_stream_checkpoints_total", 1.0).await;
    assert_eq!(second.figure("gridwarden_stream_records_read_total").await, 0.0, "nothing is read again");
    until_count(
        &parts,
        "SELECT sum(count) FROM area_metrics WHERE metric = 'air' AND window_s = 60 AND code = 'C'",
        20,
    )
    .await;
}
