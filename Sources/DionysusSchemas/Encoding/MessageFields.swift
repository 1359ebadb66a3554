package import Dionysus
import Foundation

extension AvroSchema {
    /// A message with an id and a time, where the schema has fields for them and the message doesn't.
    package func completing(_ value: JSON) -> JSON {
        guard case .object(var object) = value, case .record(let record) = types[root].kind else { return value }
        if record.places["message_id"] != nil, (object["message_id"] ?? .null) == .null {
            object["message_id"] = .string(UUID().uuidString.lowercased())
        }
        if record.places["timestamp"] != nil, (object["timestamp"] ?? .null) == .null {
            object["timestamp"] = .string(Timestamp.now.description)
        }
        return .object(object)
    }
}
