import Dionysus
import DionysusConsumer

/// What is done with a consumer's topics and partitions: they are paused, resumed and moved.
enum ConsumerActions {
    /// A topic, or one of its partitions.
    struct Target: Sendable {
        var topic: String
        var partition: Int32?

        var name: String { partition.map { "\(topic)/\($0)" } ?? topic }
    }

    static func positions(_ side: ObservedSystem.ConsumerSide, _ broker: any MessageBroker) -> ConsumerPositions {
        ConsumerPositions(side.consumer, database: side.database, broker: broker, settings: side.settings)
    }

    static func pause(_ target: Target, by actor: String, _ positions: ConsumerPositions) -> ActionCenter.Plan {
        once("Pause \(target.name)", "consumers.pause", target) {
            let count = try await positions.pause(target.topic, partition: target.partition, by: actor)
            return "paused \(Format.plural(count, "partition"))"
        }
    }

    static func resume(_ target: Target, _ positions: ConsumerPositions) -> ActionCenter.Plan {
        once("Resume \(target.name)", "consumers.resume", target) {
            let count = try await positions.resume(target.topic, partition: target.partition)
            return "resumed \(Format.plural(count, "partition"))"
        }
    }

    static func move(
        _ target: Target,
        to place: StartPosition,
        forgetsEvents: Bool,
        _ positions: ConsumerPositions
    ) -> ActionCenter.Plan {
        once("Move \(target.name)", "consumers.move", target, to: " to \(ReadingStart.place(place))") {
            let resets = try await positions.reset(
                target.topic,
                partition: target.partition,
                to: place,
                forgetsEvents: forgetsEvents,
                force: true
            )
            let moved = resets.map { "\($0.partition.partition) to \(Format.number($0.to))" }.joined(separator: ", ")
            let failures = resets.reduce(0) { $0 + $1.failuresForgotten }
            let forgotten = failures > 0 ? "; forgot \(Format.plural(failures, "failure"))" : ""
            return "moved \(moved)\(forgotten)"
        }
    }

    private static func once(
        _ title: String,
        _ name: String,
        _ target: Target,
        to place: String = "",
        _ work: @escaping @Sendable () async throws -> String
    ) -> ActionCenter.Plan {
        SourceActions.once(title, name, target.name + place, "/consumers") {
            .init(subject: target.name, outcome: try await work(), isDone: true, path: "/consumers")
        }
    }
}
