import Dionysus
import DionysusEvents

extension ProjectionStatus {
    /// How much of its rebuild is done; nil if there is none.
    var rebuiltPercent: Double? { rebuild.map { last > 0 ? Double($0.position) / Double(last) * 100 : 100 } }

    var json: JSON {
        let rebuild = rebuild.map {
            JSON.object(["version": .integer(Int64($0.version)), "position": .integer($0.position)])
        }
        return .object([
            "name": .string(name), "version": .integer(Int64(version)), "position": .integer(position),
            "last": .integer(last), "lag_events": .integer(lag), "lag_seconds": .init(lagSeconds),
            "rebuild": rebuild ?? .null,
        ])
    }
}
