//! What came out: for people, for a page, for programs.

use std::fmt::Write;

use serde::Serialize;

use super::{Figure, Machine, Measured, figure::Spread};
use crate::number::short;

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Of this format.
    pub version: u32,
    pub machine: Machine,
    pub rounds: u32,
    pub rows: Vec<RowReport>,
    /// Rows without figures, and why.
    pub failed: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct RowReport {
    pub name: String,
    pub title: String,
    pub records: u64,
    pub value_bytes: usize,
    /// The first is the one that the others are compared with.
    pub columns: Vec<Column>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Column {
    pub label: String,
    /// In the order of the rounds.
    pub rounds: Vec<Measured>,
}

// === impl Report ===

impl Report {
    pub fn json(&self) -> serde_json::Value {
        let mut json = serde_json::json!(self);
        for (row, out) in self
            .rows
            .iter()
            .zip(json["rows"].as_array_mut().into_iter().flatten())
        {
            out["advantage"] = row.advantages();
        }
        json
    }

    /// As tables of Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "`{}`, {} rounds: {}\n",
            self.machine.command, self.rounds, self.machine
        );
        for row in &self.rows {
            row.markdown(&mut text);
        }
        text
    }

    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.machine);
        for row in &self.rows {
            row.text(&mut text);
        }
        text
    }
}

// === impl RowReport ===

impl RowReport {
    /// Over the rounds.
    pub fn spread(&self, column: usize, figure: Figure) -> Option<Spread> {
        Spread::of(
            self.columns
                .get(column)?
                .rounds
                .iter()
                .filter_map(|round| round.get(figure)),
        )
    }

    /// How many times better the first column is than another, round by round: what a round shares with others is not in it.
    pub fn advantage(&self, column: usize, figure: Figure) -> Option<Spread> {
        let (first, other) = (self.columns.first()?, self.columns.get(column)?);
        let ratios = first.rounds.iter().zip(&other.rounds);
        Spread::of(
            ratios.filter_map(|(first, other)| figure.advantage(first.get(figure)?, other.get(figure)?)),
        )
    }

    fn figures(&self) -> impl Iterator<Item = Figure> {
        Figure::ALL
            .into_iter()
            .filter(|figure| (0..self.columns.len()).any(|column| self.spread(column, *figure).is_some()))
    }

    /// The table's cells: a line each, title first; medians, and behind each further column the median of ratios and the smallest one.
    fn lines(&self) -> Vec<Vec<String>> {
        let mut heads = vec![String::new()];
        for (index, column) in self.columns.iter().enumerate() {
            heads.push(column.label.clone());
            if index > 0 {
                heads.push("times (least)".to_owned());
            }
        }
        let mut lines = vec![heads];
        for figure in self.figures() {
            let mut line = vec![figure.title().to_owned()];
            for index in 0..self.columns.len() {
                line.push(
                    self.spread(index, figure)
                        .map_or_else(dash, |spread| short(spread.median)),
                );
                if index > 0 {
                    line.push(self.advantage(index, figure).map_or_else(dash, |ratio| {
                        format!("{} ({})", short(ratio.median), short(ratio.min))
                    }));
                }
            }
            lines.push(line);
        }
        lines
    }

    fn markdown(&self, text: &mut String) {
        let lines = self.lines();
        let columns = lines.first().map_or(0, Vec::len);
        // Writing into a string cannot fail.
        let _ = write!(text, "\n**{}**\n\n", self.title);
        for (index, line) in lines.iter().enumerate() {
            let _ = writeln!(text, "| {} |", line.join(" | "));
            if index == 0 {
                let _ = writeln!(text, "|---|{}", "---:|".repeat(columns - 1));
            }
        }
    }

    fn text(&self, text: &mut String) {
        let lines = self.lines();
        let width = |column: usize| {
            lines
                .iter()
                .filter_map(|line| line.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let _ = write!(text, "\n{}\n", self.title);
        for line in &lines {
            for (column, cell) in line.iter().enumerate() {
                let width = width(column);
                let _ = if column == 0 {
                    write!(text, "  {cell:<width$}")
                } else {
                    write!(text, "  {cell:>width$}")
                };
            }
            text.push('\n');
        }
    }

    fn advantages(&self) -> serde_json::Value {
        let columns = self.columns.iter().enumerate().skip(1).map(|(index, column)| {
            let ratios: serde_json::Map<_, _> = self
                .figures()
                .filter_map(|figure| {
                    let name = serde_json::json!(figure).as_str()?.to_owned();
                    Some((name, serde_json::json!(self.advantage(index, figure)?)))
                })
                .collect();
            (column.label.clone(), ratios.into())
        });
        serde_json::Value::Object(columns.collect())
    }
}

fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(label: &str, rounds: &[(f64, f64)]) -> Column {
        let rounds = rounds.iter().map(|&(speed, cpu)| {
            let mut measured = Measured::default();
            measured.set(Figure::RecordsPerSecond, speed);
            measured.set(Figure::CpuMirroring, cpu);
            measured
        });
        Column {
            label: label.to_owned(),
            rounds: rounds.collect(),
        }
    }

    fn row() -> RowReport {
        RowReport {
            name: "1k".to_owned(),
            title: "a row".to_owned(),
            records: 1,
            value_bytes: 1024,
            columns: vec![
                column("towpath", &[(400_000.0, 0.5), (200_000.0, 0.6), (300_000.0, 0.4)]),
                column("mm2", &[(100_000.0, 15.0), (100_000.0, 15.0), (100_000.0, 14.0)]),
            ],
        }
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let speed = row().advantage(1, Figure::RecordsPerSecond).unwrap();
        assert_eq!((speed.min, speed.median, speed.max), (2.0, 3.0, 4.0));
        let cpu = row().advantage(1, Figure::CpuMirroring).unwrap();
        assert_eq!((cpu.min.round(), cpu.median, cpu.max.round()), (25.0, 30.0, 35.0));
        assert_eq!(row().advantage(1, Figure::IdlePercent), None);
        assert_eq!(row().advantage(2, Figure::CpuMirroring), None);
    }

    #[test]
    fn the_table_shows_medians_and_ratios() {
        let mut text = String::new();
        row().markdown(&mut text);
        let expected = "
**a row**

|  | towpath | mm2 | times (least) |
|---|---:|---:|---:|
| records/s | 300,000 | 100,000 | 3.00 (2.00) |
| CPU s a million records, mirroring | 0.500 | 15.0 | 30.0 (25.0) |
";
        assert_eq!(text, expected);
    }

    #[test]
    fn programs_get_every_round_by_name() {
        let row = row();
        let json = serde_json::json!(row);
        assert_eq!(json["columns"][1]["rounds"][2]["cpu_mirroring"], 14.0);
        assert_eq!(row.advantages()["mm2"]["records_per_second"]["min"], 2.0);
    }
}
