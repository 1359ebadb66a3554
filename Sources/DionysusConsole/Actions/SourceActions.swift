import Dionysus
import DionysusProducer

/// Runs, and single records that are published again or forgotten.
enum SourceActions {
    /// What can be done with a run.
    enum RunAction: String, Sendable, CaseIterable {
        case pause
        case resume
        case cancel

        var verb: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }

        /// The states in which it can be done.
        var states: Set<GenesisRun.State> {
            switch self {
            case .pause: [.running]
            case .resume: [.paused, .failed]
            case .cancel: [.running, .paused, .failed]
            }
        }
    }

    static func genesis(_ side: ObservedSystem.ProducerSide) -> Genesis {
        Genesis(database: side.database, registry: side.registry, settings: side.settings)
    }

    static func change(_ id: Int64, _ action: RunAction, _ side: ObservedSystem.ProducerSide) -> ActionCenter.Plan {
        once("\(action.verb) run \(id)", "runs.\(action.rawValue)", "run \(id)", "/runs/\(id)") {
            let genesis = genesis(side)
            let run =
                switch action {
                case .pause: try await genesis.pause(id)
                case .resume: try await genesis.resume(id)
                case .cancel: try await genesis.cancel(id)
                }
            return .init(subject: "run \(id)", outcome: run.state.rawValue, isDone: true, path: "/runs/\(id)")
        }
    }

    static func start(
        topic: String,
        model: String,
        _ selection: GenesisSelection,
        over spread: Duration?,
        _ side: ObservedSystem.ProducerSide
    ) -> ActionCenter.Plan {
        once("Publish \(model) to \(topic)", "runs.start", "\(model) in \(topic)", "/runs") {
            let run = try await genesis(side).start(topic: topic, model: model, selecting: selection, over: spread)
            return .init(subject: "run \(run.id)", outcome: "started", isDone: true, path: "/runs/\(run.id)")
        }
    }

    /// Publishes one record again, by a run of its own.
    static func publish(_ model: String, _ id: String, topic: String, _ side: ObservedSystem.ProducerSide) throws
        -> ActionCenter.Plan
    {
        guard let key = side.registry.primaryKey(of: model) else {
            throw DionysusError(.notFound, "the producer has no model \(model)")
        }
        let path = Link.record(model, id)
        return once("Publish \(model) \(id) again", "records.publish", "\(model) \(id) in \(topic)", path) {
            let selection = GenesisSelection(where: [.init(key, id)])
            let run = try await genesis(side).start(topic: topic, model: model, selecting: selection)
            return .init(subject: "run \(run.id)", outcome: "started", isDone: true, path: "/runs/\(run.id)")
        }
    }

    static func tombstone(
        _ model: String,
        _ id: String,
        topic: String,
        force: Bool,
        _ side: ObservedSystem.ProducerSide,
        _ broker: any MessageBroker
    ) -> ActionCenter.Plan {
        let path = Link.record(model, id)
        return once("Publish a tombstone of \(model) \(id)", "records.tombstone", "\(model) \(id) in \(topic)", path) {
            let publisher = TombstonePublisher(
                side.registry,
                database: side.database,
                broker: broker,
                settings: side.settings
            )
            let sent = try await publisher.publish(model, id: id, topic: topic, force: force)
            return .init(
                subject: "\(model) \(id)",
                outcome: "published \(Format.plural(sent.count, "tombstone"))",
                isDone: true,
                path: path
            )
        }
    }

    static func once(
        _ title: String,
        _ name: String,
        _ target: String,
        _ path: String,
        _ work: @escaping @Sendable () async throws -> ActionProgress.Result
    ) -> ActionCenter.Plan {
        let once = Once()
        return ActionCenter.Plan(title: title, name: name, target: target, matched: 1, returnPath: path) {
            guard once.take() else { return nil }
            return [try await work()]
        }
    }
}
