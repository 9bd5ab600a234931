//! An HTTP server that answers as InfluxDB does on bad days.
