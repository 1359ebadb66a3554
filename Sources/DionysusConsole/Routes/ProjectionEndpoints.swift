import Dionysus
import DionysusEvents

extension Endpoint {
    static let projections: [Endpoint] = [
        page("/projections", "Read models that follow from events, and how far they are", isLive: true) { call in
            let list = await Part.reading { try await ProjectionStatus.all(on: try call.consumer().database) }
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
            let list = try await ProjectionStatus.all(on: try call.consumer().database)
            return .json(.object(["projections": .array(list.map(\.json))]))
        },
    ]
}
