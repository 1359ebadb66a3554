/// Why data of one schema can't be read with another.
public struct AvroIncompatibility: Sendable, Hashable, CustomStringConvertible {
    /// The part of the reader's schema: `lines[].price`, or nothing for the whole.
    public let path: String
    /// What is in the way.
    public let reason: String

    public var description: String { path.isEmpty ? reason : "\(path): \(reason)" }
}

/// Which versions of a schema have to be able to read data of which others.
public enum AvroCompatibility: String, Sendable, CaseIterable {
    case none
    /// The new version reads what the last one wrote: consumers are deployed first.
    case backward
    /// The new version reads what all earlier ones wrote.
    case backwardTransitive = "backward-transitive"
    /// The last version reads what the new one writes: producers are deployed first.
    case forward
    /// All earlier versions read what the new one writes.
    case forwardTransitive = "forward-transitive"
    /// Both, with the last version.
    case full
    /// Both, with all earlier versions.
    case fullTransitive = "full-transitive"

    /// What keeps a schema from being the next version.
    /// - Parameters:
    ///   - schema: The new version.
    ///   - earlier: The versions before it, the oldest first.
    /// - Returns: The reasons; none if it fits. Each says which version it is about, counted from 1, and who reads what.
    public func faults(of schema: AvroSchema, after earlier: [AvroSchema]) -> [AvroIncompatibility] {
        var readsOlder = false
        var readsNewer = false
        var onlyLast = true
        switch self {
        case .none: return []
        case .backward: readsOlder = true
        case .backwardTransitive: (readsOlder, onlyLast) = (true, false)
        case .forward: readsNewer = true
        case .forwardTransitive: (readsNewer, onlyLast) = (true, false)
        case .full: (readsOlder, readsNewer) = (true, true)
        case .fullTransitive: (readsOlder, readsNewer, onlyLast) = (true, true, false)
        }
        let versions = Array(zip(1..., earlier)).suffix(onlyLast ? 1 : earlier.count)
        return versions.flatMap { number, version in
            let backward =
                readsOlder
                ? schema.incompatibilities(reading: version)
                    .map { $0.noting("the new version reads version \(number)") } : []
            let forward =
                readsNewer
                ? version.incompatibilities(reading: schema)
                    .map { $0.noting("version \(number) reads the new version") } : []
            return backward + forward
        }
    }
}

extension AvroIncompatibility {
    fileprivate func noting(_ note: String) -> AvroIncompatibility {
        AvroIncompatibility(path: path, reason: "\(reason) (\(note))")
    }
}

extension AvroSchema {
    /// Why data of another schema can't be read with this one, as far as it shows without data.
    ///
    /// What concerns some data only is among it: a symbol that this schema's enumeration doesn't know, a branch of a union.
    /// - Parameter writer: The schema that data is written with.
    /// - Returns: The reasons; none if all data can be read.
    public func incompatibilities(reading writer: AvroSchema) -> [AvroIncompatibility] {
        let resolution = Resolution(writer: writer, reader: self)
        return resolution.faults + resolution.risks
    }
}
