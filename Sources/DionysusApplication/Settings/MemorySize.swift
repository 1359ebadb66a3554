/// An amount of memory in the environment: `96MB`, `1GB`.
struct MemorySize: Sendable, CustomStringConvertible {
    static let form = "a whole number and a unit: 96MB or 1GB"

    private static let units = [(name: "GB", bytes: 1 << 30), (name: "MB", bytes: 1 << 20)]

    let bytes: Int

    init(_ bytes: Int) { self.bytes = bytes }

    init?(argument: String) {
        guard let unit = Self.units.first(where: { argument.hasSuffix($0.name) }) else { return nil }
        let digits = argument.dropLast(unit.name.count)
        // A terabyte at most, so that arithmetic with it can't overflow.
        guard !digits.isEmpty, digits.allSatisfy({ ("0"..."9").contains($0) }), let number = Int(digits), number > 0,
            number <= 1 << 40 / unit.bytes
        else { return nil }
        bytes = number * unit.bytes
    }

    /// The amount in the largest unit that gives a whole number.
    var description: String {
        let unit = Self.units.first { bytes % $0.bytes == 0 } ?? ("", 1)
        return "\(bytes / unit.bytes)\(unit.name)"
    }
}
