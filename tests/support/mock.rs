//! The client library's own imitation of a cluster, in the process of the
//! test: quick to start, and brokers go away and come back as it is told to.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::OwnedHeaders;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};

fn producer(bootstrap: &str) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("linger.ms", "0").create().unwrap()
}

/// A cluster of one broker, and somebody who writes to it.
pub struct Mock {
    pub cluster: MockCluster<'static, DefaultProducerContext>,
    pub bootstrap: String,
    producer: BaseProducer,
}

impl Mock {
    /// With these topics and so many partitions each.
    pub fn new(topics: &[(&str, i32)]) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        for (topic, partitions) in topics {
            cluster.create_topic(topic, *partitions, 1).unwrap();
        }
        let bootstrap = cluster.bootstrap_servers();
        let producer = producer(&bootstrap);
        Self { cluster, bootstrap, producer }
    }

    /// Takes the broker away, or brings it back.
    pub fn set_up(&mut self, is_up: bool) {
        if is_up {
            self.cluster.broker_up(1).unwrap();
            // The old one would wait for its next look at the cluster.
            self.producer = producer(&self.bootstrap);
        } else {
            self.cluster.broker_down(1).unwrap();
        }
    }

    /// Writes a message and waits until it is there.
    pub fn write(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
        headers: Option<OwnedHeaders>,
    ) {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(partition);
        (record.key, record.payload, record.headers) = (key, payload, headers);
        // As milliseconds since 1970, so that they differ and are known.
        record.timestamp = Some(1_757_635_200_123);
        self.producer.send(record).map_err(|(error, _)| error).unwrap();
        self.flush();
    }

    /// Writes `{"n":0}` and so on, one after another.
    pub fn count(&self, topic: &str, partition: i32, numbers: std::ops::Range<u64>) {
        for number in numbers {
            let payload = format!("{{\"n\":{number}}}");
            let record = BaseRecord::<[u8], [u8]>::to(topic)
                .partition(partition)
                .timestamp(1_757_635_200_000 + i64::try_from(number).unwrap())
                .payload(payload.as_bytes());
            self.producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        self.flush();
    }

    fn flush(&self) {
        self.producer.flush(Duration::from_secs(20)).unwrap();
    }
}
