import Dionysus
import TestSupport

/// A source with accounts, rentals, bookings and fees that changes at random, and the messages that its changes give.
///
/// A change is published at once, as a snapshot of its record; the messages of a record stay in one partition.
/// Fees are sideloaded in their bookings. What happens to a soft-deleted booking's fees is not published, so nothing
/// happens to them here.
struct ChangeStream {
    struct Options {
        var changes: Int
        var isVersioned: Bool
        var seed: UInt64
        /// Whether records that were deleted are created again.
        var recreates = true
    }

    private struct Times {
        var created: Int64
        var updated: Int64
        var canceled: Int64?
    }

    private struct Rental {
        var account: Int
        var name: String
        var times: Times
    }

    private struct Booking {
        var rental: Int
        var price: Int
        var times: Times
    }

    private struct Fee {
        var booking: Int
        var amount: Int
        var times: Times
    }

    private(set) var messages: [WireMessage] = []
    private let options: Options
    private var random: SeededGenerator
    private var clock: Int64 = 1_767_225_600_000_000
    private var version: Int64 = 1_000
    private var accounts: [Int: Rental] = [:]
    private var rentals: [Int: Rental] = [:]
    private var bookings: [Int: Booking] = [:]
    private var fees: [Int: Fee] = [:]
    private var deletedRentals: [Int] = []
    private var deletedBookings: [Int] = []
    private var lastID = 0

    init(_ options: Options) {
        self.options = options
        random = SeededGenerator(seed: options.seed)
        while messages.count < options.changes { change() }
    }

    /// The visible records, as ``ChangeStream/visible`` finds them in the replica.
    var expected: [String] {
        let visibleBookings = bookings.filter { $0.value.times.canceled == nil }
        return accounts.map { "account \($0) \($1.name)" }.sorted()
            + rentals.filter { $0.value.times.canceled == nil }.map { "rental \($0) \($1.name) \($1.account)" }.sorted()
            + visibleBookings.map { "booking \($0) \($1.price) \($1.rental)" }.sorted()
            + fees.filter { visibleBookings[$0.value.booking] != nil }
            .map { "fee \($0) \($1.amount) \($1.booking)" }.sorted()
    }

    /// The visible records of a replica.
    static func visible(in replica: ReplicaHarness) async throws -> [String] {
        let queries: [SQL] = [
            "SELECT 'account', synced_id, name FROM accounts",
            "SELECT 'rental', synced_id, name, synced_account_id FROM rentals WHERE synced_canceled_at IS NULL",
            """
            SELECT 'booking', synced_id, CAST(final_price AS bigint), synced_rental_id
            FROM bookings WHERE synced_canceled_at IS NULL
            """,
            """
            SELECT 'fee', f.synced_id, CAST(f.amount AS bigint), f.synced_booking_id
            FROM bookings_fees f JOIN bookings b ON b.synced_id = f.synced_booking_id
            WHERE b.synced_canceled_at IS NULL
            """,
        ]
        var rows: [String] = []
        for query in queries { rows += try await replica.rows(query).sorted() }
        return rows
    }

    private mutating func change() {
        clock += Int64.random(in: 1...2_000_000, using: &random)
        version += 1
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<4: writeAccount()
        case 4..<14: createRental()
        case 14..<26: updateRental()
        case 26..<29: removeRental()
        case 29..<42: createBooking()
        case 42..<50: updateBooking()
        case 50..<54: removeBooking()
        case 54..<76: addFee()
        case 76..<84: updateFee()
        case 84..<91: moveFee()
        default: deleteFee()
        }
    }

    private var now: Times { Times(created: clock, updated: clock) }

    private mutating func newID() -> Int {
        lastID += 1
        return lastID
    }

    /// A key of a dictionary, the same in every run.
    private mutating func pick(_ keys: some Sequence<Int>) -> Int? { keys.sorted().randomElement(using: &random) }

    private mutating func pickVisibleBooking() -> Int? {
        pick(bookings.filter { $0.value.times.canceled == nil }.keys)
    }

    private mutating func pickFee() -> Int? {
        let visible = bookings.filter { $0.value.times.canceled == nil }
        return pick(fees.filter { visible[$0.value.booking] != nil }.keys)
    }

    private mutating func writeAccount() {
        let isNew = accounts.count < 5 || Bool.random(using: &random)
        let id = isNew ? newID() : pick(accounts.keys) ?? newID()
        var account = accounts[id] ?? Rental(account: 0, name: "", times: now)
        account.name = "Ada-\(version)"
        account.times.updated = clock
        accounts[id] = account
        let payload = #"{"id":\#(id),"name":"\#(account.name)",\#(members(account.times)),"links":{}}"#
        publish("Account", id, isNew ? .created : .updated, payload)
    }

    private mutating func createRental() {
        let id = takeUp(\.deletedRentals)
        rentals[id] = Rental(account: pick(accounts.keys) ?? 1, name: "villa-\(id)-\(version)", times: now)
        publishRental(id, .created)
    }

    /// A new id, or one that a deleted record had.
    private mutating func takeUp(_ deleted: WritableKeyPath<ChangeStream, [Int]>) -> Int {
        guard options.recreates, !self[keyPath: deleted].isEmpty, Bool.random(using: &random) else { return newID() }
        return self[keyPath: deleted].removeFirst()
    }

    private mutating func updateRental() {
        guard let id = pick(rentals.keys), var rental = rentals[id] else { return }
        let wasCanceled = rental.times.canceled != nil
        rental.times.canceled = nil
        rental.name = "villa-\(id)-\(version)"
        rental.account = pick(accounts.keys) ?? 1
        rental.times.updated = clock
        rentals[id] = rental
        publishRental(id, wasCanceled ? .created : .updated)
    }

    private mutating func removeRental() {
        guard let id = pick(rentals.keys) else { return }
        guard Bool.random(using: &random) else {
            rentals[id] = nil
            deletedRentals.append(id)
            return publish("Rental", id, .destroyed, #"{"id":\#(id),"links":{}}"#)
        }
        rentals[id]?.times.canceled = clock
        rentals[id]?.times.updated = clock
        publishRental(id, .destroyed)
    }

    private mutating func createBooking() {
        let id = takeUp(\.deletedBookings)
        bookings[id] = Booking(rental: pick(rentals.keys) ?? 1, price: Int(version % 977), times: now)
        publishBooking(id, .created)
    }

    private mutating func updateBooking() {
        guard let id = pick(bookings.keys), var booking = bookings[id] else { return }
        let wasCanceled = booking.times.canceled != nil
        booking.times.canceled = nil
        booking.price = Int(version % 977)
        booking.times.updated = clock
        bookings[id] = booking
        publishBooking(id, wasCanceled ? .created : .updated)
    }

    private mutating func removeBooking() {
        guard let id = pick(bookings.keys) else { return }
        guard Bool.random(using: &random) else {
            bookings[id] = nil
            fees = fees.filter { $0.value.booking != id }
            deletedBookings.append(id)
            return publish("Booking", id, .destroyed, #"{"id":\#(id),"links":{}}"#)
        }
        bookings[id]?.times.canceled = clock
        bookings[id]?.times.updated = clock
        publishBooking(id, .destroyed)
    }

    /// Fees change without their booking's time.
    private mutating func addFee() {
        guard let booking = pickVisibleBooking() else { return }
        fees[newID()] = Fee(booking: booking, amount: Int(version % 83), times: now)
        publishBooking(booking, .updated)
    }

    private mutating func updateFee() {
        guard let id = pickFee(), let booking = fees[id]?.booking else { return }
        fees[id]?.amount = Int(version % 83)
        fees[id]?.times.updated = clock
        publishBooking(booking, .updated)
    }

    private mutating func moveFee() {
        guard let id = pickFee(), let from = fees[id]?.booking, let destination = pickVisibleBooking() else { return }
        fees[id]?.booking = destination
        fees[id]?.times.updated = clock
        for booking in from == destination ? [from] : [from, destination] { publishBooking(booking, .updated) }
    }

    private mutating func deleteFee() {
        guard let id = pickFee(), let booking = fees.removeValue(forKey: id)?.booking else { return }
        publishBooking(booking, .updated)
    }

    private func members(_ times: Times) -> String {
        let time = { (value: Int64) in "\"\(Timestamp(microseconds: value).iso8601())\"" }
        return #""created_at":\#(time(times.created)),"updated_at":\#(time(times.updated))"#
    }

    private func cancellation(_ times: Times) -> String {
        #""canceled_at":\#(times.canceled.map { "\"\(Timestamp(microseconds: $0).iso8601())\"" } ?? "null")"#
    }

    private mutating func publishRental(_ id: Int, _ change: EventName.Change) {
        guard let rental = rentals[id] else { return }
        let payload = """
            {"id":\(id),"name":"\(rental.name)",\(cancellation(rental.times)),\(members(rental.times)),\
            "links":{"account":\(rental.account)}}
            """
        publish("Rental", id, change, payload)
    }

    private mutating func publishBooking(_ id: Int, _ change: EventName.Change) {
        guard let booking = bookings[id] else { return }
        let own = fees.filter { $0.value.booking == id }.sorted { $0.key < $1.key }
        let records = own.map { fee in
            """
            {"id":\(fee.key),"name":"fee","amount":"\(fee.value.amount).00",\(members(fee.value.times)),\
            "links":{"booking":\(id)}}
            """
        }
        let payload = """
            {"id":\(id),"final_price":"\(booking.price).00",\(cancellation(booking.times)),\(members(booking.times)),\
            "links":{"rental":\(booking.rental),"bookings_fees":[\(own.map { "\($0.key)" }.joined(separator: ","))]},\
            "bookings_fees":[\(records.joined(separator: ","))]}
            """
        publish("Booking", id, change, payload)
    }

    private mutating func publish(_ model: String, _ id: Int, _ change: EventName.Change, _ payload: String) {
        var message = WireMessage.event(
            "\(Inflection.underscored(model))_\(change)",
            model,
            payload,
            partition: Int32(id % 4),
            version: options.isVersioned ? version : nil
        )
        message.key = "\(model):\(id)"
        messages.append(message)
    }
}
