import Dionysus
import DionysusEvents

extension Endpoint {
    static let projections: [Endpoint] = [
        page("/projections", "Read models that follow from events, and how far they are", isLive: true) { call in
            let database = try call.projectionDatabase()
            let list = await Part.reading { try await ProjectionStatus.all(on: database) }
            return .page(.projections(list))
        },
        read(
            "/projections",
            "Read models that follow from events, and how far they are",
            answer: [
                (
                    "projections",
                    "a list with name, version, position, last, lag_events, lag_seconds and rebuild (version and position; or null)"
                )
            ]
        ) { call in
            let list = try await ProjectionStatus.all(on: try call.projectionDatabase())
            return .json(.object(["projections": .array(list.map(\.json))]))
        },
    ]
}

extension Call {
    /// The database that a consumer of events keeps its read models in; without a consumer, the one with the streams.
    fileprivate func projectionDatabase() throws -> any Database {
        if system.consumer == nil, let side = system.producer { return side.database }
        return try consumer().database
    }
}
