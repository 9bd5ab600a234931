### Words that every page uses: the frame, states, the login, refusals.

frame-skip = Skip to content
frame-main = Main
frame-queue = Queue
frame-fleet = Fleet
frame-profiles = Profiles
frame-find = Find a ticket, serial or owner’s reference
frame-find-hint = Ticket, serial, owner’s reference
frame-theme = Theme
frame-theme-system = As the system
frame-theme-light = Light
frame-theme-dark = Dark
frame-keys-on = Single keys act
frame-save = Save
frame-sign-out = Sign out
frame-times = Times are local: { $zone }.
frame-healthy = all intake running
frame-unhealthy = { $part }: { $detail }
frame-cases = { $n ->
    [one] { $n } case
   *[other] { $n } cases
}
frame-nobody = Nobody yet
frame-live = Live, { $time }
frame-live-changed-one = One case changed. Show it
frame-live-changed = cases changed. Show them
frame-live-lost = Live updates paused. The page shows what was known then. It reconnects by itself.
frame-between = {" · "}
frame-as-of = As of { $time }
frame-page-before = Earlier ones
frame-page-after = Further ones
frame-path = Path
frame-as-table = Values as a table
frame-from = From
frame-reload = Reload now
frame-saved = Saved.
frame-gone = { $n ->
    [one] One message is
   *[other] { $n } messages are
} not in the journal any more and stay as they are: too old to be replayed.
frame-taken = Taken. It will show here within seconds.

severity-s1 = S1 Safety
severity-s2 = S2 Urgent
severity-s3 = S3 Routine
severity-s4 = S4 Notice

status-new = New
status-acknowledged = Acknowledged
status-in-progress = In progress
status-waiting = Waiting
status-waiting-customer = Waiting: customer
status-waiting-part = Waiting: part
status-waiting-visit = Waiting: visit
status-resolved = Resolved
status-closed = Closed
status-cancelled = Cancelled

fault-learning = Learning
fault-normal = Normal
fault-pending = Pending
fault-active = Active
fault-active-warning = Active, warning
fault-active-fault = Active, fault
fault-clearing = Clearing
fault-blind = Blind

login-title = Sign in
login-motto = Repairs begin before the complaint.
login-token = Admin token
login-where = Foremend told its place when it started. It is in the data directory, in the file
login-then = You will go on to { $where }.
login-wrong = { $left ->
    [one] That token is not right. Check for missing characters at the end. 1 try left, then a pause of 5 min.
   *[other] That token is not right. Check for missing characters at the end. { $left } tries left, then a pause of 5 min.
}
login-paused = Too many wrong tokens from your address. Try again in { $wait }.

refusal-to-queue = To the queue
refusal-no-ticket = There is no ticket { $id }
refusal-latest = The latest is { $id }. Search by serial or owner’s reference.
refusal-no-ticket-yet = No ticket was opened yet.
refusal-no-device = There is no device { $device }
refusal-no-device-why = It never sent a message that was understood. Search by serial, or look at what was rejected on the fleet page.
refusal-no-profile = There is no profile for { $model }
refusal-no-profile-why = A model is one file in the folder of the profiles. The models that are known stand on the profiles page.
refusal-no-page = There is nothing at { $path }
refusal-no-page-why = The address may be old or mistyped. Search by ticket or serial.
refusal-foreign = This form was not taken
refusal-foreign-why = It came from another site, or from a login that is over. Nothing was changed. Open the page again and repeat what you did.
refusal-too-large = This form is too large
refusal-too-large-why = It has more than 64 KiB. Nothing was changed. Shorten the text and send it again.
refusal-failed = This page could not be built
refusal-failed-why = The store did not answer. Messages are still received and nothing is lost. Try again, or give the administrator the number below.
refusal-number = Number:
refusal-said = That was not possible
