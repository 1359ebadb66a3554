import ArgumentParser

/// A duration on the command line or in the environment: `3d`, `12h`, `30m`, `45s`.
struct Age: ExpressibleByArgument, Sendable, CustomStringConvertible {
    static let form = "a whole number and a unit: 3d, 12h, 30m or 45s"

    private static let units: [(letter: Character, seconds: Int)] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)]

    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        guard let unit = Self.units.first(where: { $0.letter == argument.last }) else { return nil }
        let digits = argument.dropLast()
        // A century at most, so that arithmetic with it can't overflow.
        guard !digits.isEmpty, digits.allSatisfy({ ("0"..."9").contains($0) }), let number = Int(digits), number > 0,
            number <= 36_525 * 86_400 / unit.seconds
        else { return nil }
        duration = .seconds(number * unit.seconds)
    }

    /// The duration in the largest unit that gives a whole number.
    var description: String {
        let seconds = Int(duration.components.seconds)
        let unit = Self.units.first { seconds % $0.seconds == 0 } ?? ("s", 1)
        return "\(seconds / unit.seconds)\(unit.letter)"
    }
}
