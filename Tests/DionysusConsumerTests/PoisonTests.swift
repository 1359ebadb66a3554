import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// One message in 10,000 can't be applied.
@Suite(.serialized, .timeLimit(.minutes(10))) struct PoisonTests {
    enum Poison: String, CaseIterable, Sendable {
        /// It can't be read.
        case malformedBytes
        /// A value does not fit its column.
        case wrongType
        /// A constraint of the database refuses it.
        case constraint
        /// A handler of the application throws.
        case handler
    }

    private static let count = 10_000
    private static let place = 4_321

    /// Later messages of the record.
    ///
    /// What a later message of the same batch changes again is never written, so that no constraint could refuse it.
    private static func later(_ poison: Poison) -> [Int] {
        [place + (poison == .constraint ? 2_100 : 100), place + 2_500, place + 5_000]
    }

    private static let record = "SELECT name FROM rentals WHERE synced_id = \(place)"

    /// The stream, a record a message but for the later ones of the poisoned record.
    private static func messages(_ poison: Poison) -> [WireMessage] {
        let later = later(poison)
        return (0..<count)
            .map { index in
                let version = Int64(index + 1)
                if later.contains(index) { return .rental(.updated, place, name: "later \(index)", version: version) }
                guard index == place else {
                    return .rental(.created, index, name: "rental \(index)", version: version)
                }
                switch poison {
                case .malformedBytes: return WireMessage("v3_rentals", key: "Rental:\(place)", value: "{\"mess")
                case .wrongType:
                    let payload = #"{"id":\#(place),"name":"poison","check_in_time":"afternoon"}"#
                    var message = WireMessage.event("rental_created", "Rental", payload, version: version)
                    message.key = "Rental:\(place)"
                    return message
                case .constraint, .handler: return .rental(.created, place, name: "poison", version: version)
                }
            }
    }

    /// Runs a body with the stream in the log and the cause of the failure in place.
    private static func poison(
        _ kind: TestDatabaseKind,
        _ poison: Poison,
        _ policy: FailedMessagePolicy,
        _ body: (ReplicaHarness, Mirror, _ mend: () async throws -> Void) async throws -> Void
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let diary = Diary(refusing: poison == .handler ? [Int64(place)] : [])
            try await Diary.create(in: replica)
            let mirror = Mirror.rentals { $0.onFailure(policy).handling(diary.handler).retrying(.never) }
            if poison == .constraint { try await replica.take(name: "poison") }
            try await replica.publish(messages(poison))
            try await body(replica, mirror) {
                switch poison {
                case .malformedBytes: break
                case .wrongType:
                    try await replica.execute(
                        "ALTER TABLE rentals DROP COLUMN check_in_time",
                        "ALTER TABLE rentals ADD COLUMN check_in_time text"
                    )
                case .constraint: try await replica.release()
                case .handler: diary.mend()
                }
            }
        }
    }

    /// Expects that all messages but some have been handled, each once, and that their records are there.
    private static func expectHandled(
        allBut missing: Set<Int>,
        in replica: ReplicaHarness,
        location: SourceLocation = #_sourceLocation
    ) async throws {
        let offsets = try await Diary.offsets(in: replica).compactMap { Int($0) }.sorted()
        #expect(offsets == (0..<count).filter { !missing.contains($0) }, sourceLocation: location)
        let others = try await replica.rows(
            "SELECT count(*) FROM rentals WHERE synced_id NOT IN (\(place), 1000000)"
        )
        #expect(others == ["\(count - 4)"], sourceLocation: location)
    }

    @Test(arguments: TestDatabaseKind.available, Poison.allCases)
    func `with stop, what comes before it is applied, and everything once it is mended`(
        _ kind: TestDatabaseKind,
        _ poison: Poison
    ) async throws {
        try await Self.poison(kind, poison, .stop) { replica, mirror, mend in
            let error = await #expect(throws: DionysusError.self) { try await replica.consume(mirror) }
            #expect(error?.message.contains("v3_rentals[0] offset \(Self.place)") == true)
            #expect(try await replica.rows("SELECT next_offset FROM dionysus_offsets") == ["\(Self.place)"])
            let offsets = try await Diary.offsets(in: replica)
            #expect(offsets == (0..<Self.place).map(String.init))
            #expect(try await replica.recorded() == [])
            try await mend()
            guard poison != .malformedBytes else { return }
            try await replica.consume(mirror)
            try await Self.expectHandled(allBut: [], in: replica)
            #expect(try await replica.rows(SQL(raw: Self.record)) == ["later \(Self.place + 5_000)"])
        }
    }

    @Test(arguments: TestDatabaseKind.available, Poison.allCases)
    func `with skip, all others are applied`(_ kind: TestDatabaseKind, _ poison: Poison) async throws {
        try await Self.poison(kind, poison, .skip) { replica, mirror, _ in
            try await replica.consume(mirror)
            try await Self.expectHandled(allBut: [Self.place], in: replica)
            #expect(try await replica.rows(SQL(raw: Self.record)) == ["later \(Self.place + 5_000)"])
            #expect(try await replica.recorded() == [])
            #expect(try await replica.rows("SELECT next_offset FROM dionysus_offsets") == ["\(Self.count)"])
        }
    }

    @Test(arguments: TestDatabaseKind.available, Poison.allCases)
    func `with a dead-letter topic, it goes there once, and a replay applies it once it is mended`(
        _ kind: TestDatabaseKind,
        _ poison: Poison
    ) async throws {
        let policy = FailedMessagePolicy.deadLetter(topic: "dead", maxRetries: 0)
        try await Self.poison(kind, poison, policy) { replica, mirror, mend in
            try await replica.consume(mirror)
            try await Self.expectHandled(allBut: [Self.place], in: replica)
            let letters = try await readRaw("dead", from: replica.broker)
            #expect(letters.count == 1)
            #expect(letters.first?.value == Self.messages(poison)[Self.place].value)
            #expect(try await replica.recorded() == [])

            try await mend()
            let summary = try await replica.failures(mirror).replayDeadLetters(of: "dead")
            if poison == .malformedBytes {
                #expect(summary.applied == 0 && summary.recorded == 1)
                #expect(try await replica.recorded() == ["\(Self.place) failed 2 malformed"])
            } else {
                #expect(summary.applied == 1 && summary.recorded == 0)
                try await Self.expectHandled(allBut: [], in: replica)
            }
            #expect(try await replica.rows(SQL(raw: Self.record)) == ["later \(Self.place + 5_000)"])
        }
    }

    @Test(arguments: TestDatabaseKind.available, Poison.allCases)
    func `recorded with later messages passing, it alone is kept, and a retry applies it once it is mended`(
        _ kind: TestDatabaseKind,
        _ poison: Poison
    ) async throws {
        try await Self.poison(kind, poison, .record(laterMessages: .pass)) { replica, mirror, mend in
            try await replica.consume(mirror)
            try await Self.expectHandled(allBut: [Self.place], in: replica)
            #expect(try await replica.rows(SQL(raw: Self.record)) == ["later \(Self.place + 5_000)"])
            #expect(try await replica.failures().list().map(\.offset) == [Int64(Self.place)])

            try await mend()
            let results = try await replica.failures(mirror).retryAll()
            if poison == .malformedBytes {
                #expect(results.map(\.outcome) == [.failed])
                #expect(try await replica.recorded() == ["\(Self.place) failed 2 malformed"])
            } else {
                #expect(results.map(\.outcome) == [.applied])
                try await Self.expectHandled(allBut: [], in: replica)
                #expect(try await replica.recorded() == [])
            }
            #expect(try await replica.rows(SQL(raw: Self.record)) == ["later \(Self.place + 5_000)"])
        }
    }

    @Test(arguments: TestDatabaseKind.available, Poison.allCases)
    func `recorded with later messages waiting, they are kept with it, and a retry applies them in order`(
        _ kind: TestDatabaseKind,
        _ poison: Poison
    ) async throws {
        try await Self.poison(kind, poison, .record(laterMessages: .wait)) { replica, mirror, mend in
            try await replica.consume(mirror)
            try await Self.expectHandled(allBut: Set([Self.place] + Self.later(poison)), in: replica)
            #expect(try await replica.rows(SQL(raw: Self.record)) == [])
            let failures = replica.failures(mirror)
            let kept = try await failures.list()
            #expect(kept.map(\.offset) == ([Self.place] + Self.later(poison)).map(Int64.init))
            #expect(kept.map(\.state) == [.failed, .waiting, .waiting, .waiting])

            try await mend()
            let results = try await failures.retryAll()
            if poison == .malformedBytes {
                #expect(results.map(\.outcome) == [.failed])
                try await failures.delete([kept[0].id])
                #expect(try await failures.retryAll().map(\.released) == [2])
                try await Self.expectHandled(allBut: [Self.place], in: replica)
            } else {
                #expect(results.map(\.outcome) == [.applied] && results.map(\.released) == [3])
                try await Self.expectHandled(allBut: [], in: replica)
            }
            #expect(try await replica.recorded() == [])
            #expect(try await replica.rows(SQL(raw: Self.record)) == ["later \(Self.place + 5_000)"])
            let last = try await Diary.offsets(in: replica).suffix(3)
            #expect(Array(last) == Self.later(poison).map(String.init))
        }
    }
}
