### The fleet and lists of devices.

fleet-lead = { $online } of { $all ->
    [one] one device is online.
   *[other] { $all } devices are online.
}
fleet-devices = Devices
fleet-models-n = { $n ->
    [one] one model
   *[other] { $n } models
}
fleet-online = Online
fleet-with-ticket = With an open ticket
fleet-messages = Messages
fleet-per-second = per second
fleet-rejected-day = Rejected in 24 h
fleet-quarantine-n = In quarantine
fleet-models = Models
fleet-models-caption = Devices by model and state
fleet-model = Model
fleet-state-now = State now
fleet-firmware = Firmware
fleet-firmware-on = { $version } on { $share }
fleet-states = { $online } online · { $silent } silent for 2 h · { $offline } said goodbye
fleet-none = No device was heard yet. Point one at the MQTT address; what it sends shows here at once.
fleet-per-second-title = Messages per second
fleet-local = Local time, { $zone }
fleet-no-chart = The chart begins after two minutes of messages.
fleet-five-minutes = Five-minute means, messages per second
fleet-account = Every message is accounted for
fleet-last-day = Last 24 h
fleet-since-start = Since the start, { $time }
fleet-received = Received
fleet-decoded = Decoded
fleet-duplicate = Duplicate
fleet-rejected = Rejected
fleet-unaccounted = Unaccounted
fleet-behind = Detection is { $detection ->
    [one] one record
   *[other] { $detection } records
} behind, the series store { $series }. Journal { $journal }.
fleet-catch-up-detection = Detection is catching up: { $n } records behind, { $rate } a second, { $left }. Tickets come as it gets there.
fleet-catch-up-series = The series store is catching up: { $n } records behind, { $rate } a second, { $left }. Tickets do not wait for it; charts end earlier until then.
fleet-catch-up-left = about { $time } left
fleet-catch-up-not = not getting nearer now
fleet-held = The journal keeps { $bytes } that it should have removed, for { $holder }. When its space is used up, no message is acknowledged any more.
fleet-held-series = the series store, which has not taken them
fleet-held-state = the saved state, which cannot be written
fleet-held-other = the consumer { $name }, which has not read them
fleet-rejected-title = Rejected in the last 24 h, by reason
fleet-replay-all = Replay all after a fix
fleet-none-rejected = Nothing was rejected.
fleet-reason = Reason
fleet-mostly = Mostly
fleet-newest = Newest
fleet-quarantine = In quarantine: held until a person takes them
fleet-quarantined = { $n ->
    [one] one device
   *[other] { $n } devices
}
fleet-quarantine-why = Their messages are kept. Adopt a device on its page, or add the profile of its model, then replay what was rejected.
fleet-find-serial = Part of a serial
fleet-find = Find
fleet-no-device = No device fits
fleet-serial = Device
fleet-state = State
fleet-heard = Heard
fleet-open = Open tickets
fleet-in-quarantine = In quarantine
fleet-retired = Retired
fleet-is-offline = Said goodbye
fleet-is-online = Online
fleet-is-silent = Silent for 2 h

reject-unknown-topic = No source speaks on this topic
reject-unknown-kind = Last topic part is not a known kind
reject-unknown-model = A model that no profile knows
reject-unknown-device = A device that is held in quarantine
reject-too-large = Larger than 256 KiB
reject-too-many-records = More than 1,000 records in a batch
reject-too-deep = Nested too deeply
reject-invalid-utf8 = Not UTF-8 text
reject-invalid-json = Payload is not JSON
reject-invalid-cbor = Payload is not CBOR
reject-invalid-shape = Not in the shape of its kind
reject-no-time = Batch record without a time
reject-identity-mismatch = Serial or model in the payload differs from the topic
reject-empty = Empty payload
reject-internal-error = A fault of our own; it is kept for replay
