import Dionysus
import DionysusConsumer
import DionysusProducer

/// Runs that compare replicas with their source, and what is repaired of what they have found.
enum VerificationActions {
    static func source(_ side: ObservedSystem.ProducerSide) -> Verification {
        Verification(database: side.database, registry: side.registry, settings: side.settings)
    }

    static func replica(_ side: ObservedSystem.ConsumerSide) -> ConsumerVerifications {
        ConsumerVerifications(side.consumer, database: side.database, settings: side.settings)
    }

    static func start(
        topic: String,
        model: String,
        from: String?,
        to: String?,
        over spread: Duration?,
        _ side: ObservedSystem.ProducerSide,
        _ broker: any MessageBroker
    ) -> ActionCenter.Plan {
        SourceActions.once("Verify \(model) in \(topic)", "verifications.start", "\(model) in \(topic)", "/runs") {
            let run = try await source(side)
                .start(topic: topic, model: model, from: from, to: to, over: spread, on: broker)
            return .init(subject: "run \(run.id)", outcome: "started", isDone: true, path: "/runs/\(run.id)")
        }
    }

    /// Compares replicas with one record, by a run of its own.
    static func verify(
        _ model: String,
        _ id: String,
        topic: String,
        _ side: ObservedSystem.ProducerSide,
        _ broker: any MessageBroker
    ) -> ActionCenter.Plan {
        let path = Link.record(model, id)
        return SourceActions.once("Verify \(model) \(id)", "records.verify", "\(model) \(id) in \(topic)", path) {
            let run = try await source(side).start(topic: topic, model: model, from: id, to: id, on: broker)
            return .init(subject: "run \(run.id)", outcome: "started", isDone: true, path: "/runs/\(run.id)")
        }
    }

    /// Repairs what a run has found: on both sides, if both can be reached from here.
    static func repair(
        _ run: ComparedRun,
        _ side: ObservedSystem.ConsumerSide,
        _ producer: ObservedSystem.ProducerSide?
    ) -> ActionCenter.Plan {
        let path = "/verifications/\(run.number)"
        let name = "run \(run.number) of \(run.topic)"
        return SourceActions.once("Repair \(run.topic)", "verifications.repair", name, path) {
            let verification = producer.map(source)
            let repair =
                if let verification {
                    try await replica(side)
                        .repair(run) { try await verification.publish(topic: $0, model: $1, ids: $2) }
                } else {
                    try await replica(side).repair(run, publishing: nil)
                }
            var outcomes = ["removed \(repair.removed) of \(Format.plural(repair.extraCount, "row"))"]
            if let published = repair.published {
                outcomes.append("publishes \(published) of \(Format.plural(repair.recordCount, "record")) again")
            } else if repair.recordCount > 0 {
                outcomes.append(
                    "\(Format.plural(repair.recordCount, "record")) must be published again beside the source"
                )
            }
            return .init(subject: name, outcome: outcomes.joined(separator: ", "), isDone: true, path: path)
        }
    }
}
