-- How often which verdict was given on a fault of a model, without reading the tickets themselves.
CREATE INDEX tickets_verdict ON tickets (model, fault, json_extract(ticket, '$.verdict'));
