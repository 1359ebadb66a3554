import Dionysus
import Foundation

/// Which service a heartbeat is of: what tells its file from those of other services of the same user.
struct HeartbeatIdentity: Sendable {
    let role: ServiceRole
    let application: String
    let clientID: String
    let place: String

    /// The name of the file: readable in part, and as a whole short enough for every file system.
    var fileName: String {
        let readable = clientID.unicodeScalars.prefix(40)
            .map { scalar -> String in
                switch scalar {
                case "a"..."z", "A"..."Z", "0"..."9", "_": return String(scalar)
                default: return "-"
                }
            }
        let hash = Self.hash([application, role.rawValue, clientID, place])
        return "\(role.rawValue)-\(readable.joined())-\(hash).json"
    }

    /// FNV-1a of the parts, which are kept apart.
    private static func hash(_ parts: [String]) -> String {
        let hash = parts.flatMap { Array($0.utf8) + [0] }.fnv1a
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
