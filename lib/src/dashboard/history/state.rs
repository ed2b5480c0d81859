//! The history as bytes.

use std::sync::Arc;

use super::{Alert, Figures, History, PANELS, Point, Series};
use crate::row::{restore_time, snapshot_time};
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

impl History {
    /// Writes everything that is remembered.
    pub fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.fields[PANELS.len()..].iter(), |state, field| state.bytes(&field.name));
        state.u64(self.next_series);
        state.list(self.series.iter(), |state, (id, series)| {
            state.u64(*id);
            state.u64(series.field as u64);
            state.bytes(&series.labels);
            state.i64(series.length);
            state.list(series.points.iter(), |state, point| {
                state.i64(point.at);
                state.f64(point.value);
            });
        });
        state.u64(self.next_alert);
        state.list(self.alerts.iter(), |state, alert| {
            state.u64(alert.id);
            state.i64(alert.at);
            state.bytes(&alert.text);
        });
        state.list(self.alert_counts.iter(), |state, (name, count)| {
            state.bytes(name);
            state.u64(*count);
        });
        for time in [self.newest, self.swept] {
            state.option(time, |state, time| snapshot_time(time, state));
        }
        let Figures { rows, alerts, filtered, rejected, refused, crowded, too_old } = self.figures;
        for figure in [rows, alerts, filtered, rejected, refused, crowded, too_old] {
            state.u64(figure);
        }
    }

    /// Takes on what [`snapshot`](Self::snapshot) wrote. A shorter history, or
    /// less room, than that of the run before shows from the next row on.
    ///
    /// # Errors
    ///
    /// Fails if the state is damaged.
    pub fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let fields = state.list(|state| Ok(state.bytes()?.into()))?;
        self.fields.extend(fields.into_iter().map(|name| super::Field { name, series: 0 }));
        self.next_series = state.u64()?;
        for (id, mut series) in state.list(|state| self.read_series(state))? {
            series.labels = self.enter(&series.labels, series.field, id);
            self.points += series.points.len();
            self.series.insert(id, series);
        }
        self.next_alert = state.u64()?;
        let read_alert = |state: &mut SnapshotReader<'_>| {
            Ok(Alert { id: state.u64()?, at: state.i64()?, text: state.bytes()?.into() })
        };
        self.alerts = state.list(read_alert)?.into();
        let counts = state.list(|state| Ok((state.bytes()?.into(), state.u64()?)))?;
        self.alert_counts.extend(counts);
        self.newest = state.option(restore_time)?;
        self.swept = state.option(restore_time)?;
        self.figures = Figures {
            rows: state.u64()?,
            alerts: state.u64()?,
            filtered: state.u64()?,
            rejected: state.u64()?,
            refused: state.u64()?,
            crowded: state.u64()?,
            too_old: state.u64()?,
        };
        self.revision += 1;
        Ok(())
    }

    fn read_series(&self, state: &mut SnapshotReader<'_>) -> Result<(u64, Series), RestoreError> {
        let changed = self.revision;
        let (id, field) = (state.u64()?, state.len()?);
        if field >= self.fields.len() {
            return Err(RestoreError::Damaged("a series is of no field"));
        }
        let labels: Arc<[u8]> = state.bytes()?.into();
        let length = state.i64()?;
        let read_point = |state: &mut SnapshotReader<'_>| {
            Ok(Point { at: state.i64()?, value: state.f64()?, changed })
        };
        let points = state.list(read_point)?.into();
        Ok((id, Series { field, labels, length, changed, points }))
    }
}
