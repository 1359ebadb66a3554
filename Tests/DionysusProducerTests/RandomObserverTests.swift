import Dionysus
import DionysusProducer
import Foundation
import TestSupport
import Testing

/// Random expressions, and random changes of what they read, compared with computing everything again.
///
/// `DIONYSUS_TEST_RANDOM_CHANGES` says how many changes there are for each database, 1,000 by default, and
/// `DIONYSUS_TEST_RANDOM_SEED` which ones.
@Suite(.timeLimit(.minutes(60))) struct RandomObserverTests {
    private static func number(_ variable: String, _ standard: Int) -> Int {
        ProcessInfo.processInfo.environment[variable].flatMap { Int($0) } ?? standard
    }

    @Test("no change is missed, whatever expressions and changes come", arguments: TestDatabaseKind.available)
    func generated(_ kind: TestDatabaseKind) async throws {
        let wanted = Self.number("DIONYSUS_TEST_RANDOM_CHANGES", 1_000)
        var generator = SeededGenerator(seed: UInt64(Self.number("DIONYSUS_TEST_RANDOM_SEED", 7)))
        var (done, effective, needless, refused, expressions) = (0, 0, 0, 0, 0)
        try await ProducerHarness.withLodges(kind, LodgeSync()) { harness in
            while done < wanted {
                let sql = RandomExpression.make(using: &generator)
                expressions += 1
                guard try await harness.faults(of: sql).isEmpty else {
                    refused += 1
                    continue
                }
                let observed = try await harness.observing(sql)
                // Changes build on each other, up to a few, so that rows come and go.
                for _ in 0..<8 {
                    let changes = (0..<5).map { RandomExpression.change(number: $0, using: &generator) }
                    let outcomes = try await observed.outcomes(of: changes, evaluating: sql)
                    for (place, outcome) in outcomes.enumerated() {
                        #expect(
                            outcome.published.isSuperset(of: outcome.changed),
                            "\(sql): \(changes[...place].map { $0.rendered(for: harness.database.dialect) })"
                        )
                        effective += outcome.changed.count
                        needless += outcome.published.subtracting(outcome.changed).count
                    }
                    done += changes.count
                }
            }
        }
        // A generator whose changes change nothing, or whose expressions are refused, would show nothing.
        #expect(effective > done / 20, "\(effective) of \(done)")
        #expect(refused * 4 < expressions, "\(refused) of \(expressions)")
        guard wanted > 1_000 else { return }
        print(
            "\(kind): \(expressions) expressions, \(refused) refused, \(done) changes, \(effective) effective, \(needless) needless"
        )
    }
}
