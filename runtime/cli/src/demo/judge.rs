//! Every record of both sides, read through librdkafka and not through the mirror's own client.

use towpath_kafka::verify::{self, Endpoint, Error, Mask, Options};

use super::{REPLACEMENT, Topic, clusters::Clusters, content};
use crate::number::grouped;

/// Compares every topic and prints the table. True when all is equal.
pub(super) fn judge(clusters: &Clusters, topics: &[Topic]) -> anyhow::Result<bool> {
    println!(
        "\n{:<26} {:>12} {:>12} {:>12} {:>12}",
        "topic", "written", "source", "target", "equal"
    );
    let mask: &Mask<'_> = &|value, out| content::masked(value, REPLACEMENT, out);
    let mut all_equal = true;
    for topic in topics {
        let report = compare(clusters, topic, topic.is_masked.then_some(mask))?;
        let written = topic.traffic.records;
        let counts = [
            report.source_records(),
            report.target_records(),
            report.compared(),
        ];
        all_equal &= report.is_equal() && counts == [written; 3];
        let name = match topic.traffic.topic == topic.target {
            true => topic.target.to_owned(),
            false => format!("{} -> {}", topic.traffic.topic, topic.target),
        };
        let [source, target, equal] = counts.map(grouped);
        println!(
            "{name:<26} {:>12} {source:>12} {target:>12} {equal:>12}",
            grouped(written)
        );
        if let Some(difference) = report.first_difference() {
            println!("  first difference: {difference}");
        }
    }
    println!();
    Ok(all_equal)
}

fn compare(clusters: &Clusters, topic: &Topic, mask: Option<&Mask<'_>>) -> Result<verify::Report, Error> {
    let options = Options::new(
        Endpoint::new(clusters.source(), topic.traffic.topic),
        Endpoint::new(clusters.target(), topic.target),
    );
    verify::compare(&options, mask, |_, _| {})
}
