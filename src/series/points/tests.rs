//! What telemetry becomes in the series.
