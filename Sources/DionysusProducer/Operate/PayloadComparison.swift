package import Dionysus

/// What differs between a message that another producer has sent and the one that would be published now.
///
///     let comparison = PayloadComparison(of: theirs, with: ours)
///     for difference in comparison.differences { print(difference.path, difference.theirs, difference.ours) }
///
/// Values are compared as they are written, so that a decimal's digits, a time's fraction and the order of members count.
package struct PayloadComparison: Sendable {
    /// A member that differs.
    package struct Difference: Sendable, Hashable {
        /// Where: `price`, `links.account`, `bookings_fees[0].amount`; `(order)` after a dot is that of an object's members.
        package let path: String
        /// The value in the other producer's message as it is written; nil if the member is missing.
        package let theirs: String?
        /// The value as it would be published; nil if the member is missing.
        package let ours: String?

        package init(path: String, theirs: String?, ours: String?) {
            self.path = path
            self.theirs = theirs
            self.ours = ours
        }
    }

    /// Whether the record has changed since the other message was sent, so that the values say nothing.
    ///
    /// It has if a time of an update, its own or that of a part, is another at the coarser of the two precisions.
    package private(set) var hasChanged = false
    /// What differs, in the order of the other message.
    package private(set) var differences: [Difference] = []

    /// Compares two payloads of one record.
    /// - Parameters:
    ///   - theirs: The other producer's.
    ///   - ours: The one that would be published now.
    package init(of theirs: JSON, with ours: JSON) { compare(theirs, ours, at: "") }

    private mutating func compare(_ theirs: JSON, _ ours: JSON, at path: String) {
        switch (theirs, ours) {
        case (.object(let left), .object(let right)): compare(left, right, at: path)
        case (.array(let left), .array(let right)):
            for index in 0..<max(left.count, right.count) {
                let place = "\(path)[\(index)]"
                guard index < left.count, index < right.count else {
                    // A part that has come or gone since is no fault of a serializer.
                    if index < left.count ? left[index].isRecord : right[index].isRecord { hasChanged = true }
                    let pair = (index < left.count ? left[index] : nil, index < right.count ? right[index] : nil)
                    note(place, pair.0, pair.1)
                    continue
                }
                compare(left[index], right[index], at: place)
            }
        default:
            if path == "updated_at" || path.hasSuffix(".updated_at"), isLater(theirs, ours) { hasChanged = true }
            if theirs != ours { note(path, theirs, ours) }
        }
    }

    private mutating func compare(_ theirs: JSON.Object, _ ours: JSON.Object, at path: String) {
        func place(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
        for member in theirs.members {
            guard let value = ours[member.name] else {
                note(place(member.name), member.value, nil)
                continue
            }
            compare(member.value, value, at: place(member.name))
        }
        for member in ours.members where theirs[member.name] == nil { note(place(member.name), nil, member.value) }
        let shared = theirs.members.map(\.name).filter { ours[$0] != nil }
        let order = ours.members.map(\.name).filter { theirs[$0] != nil }
        if shared != order {
            differences.append(
                Difference(
                    path: place("(order)"),
                    theirs: shared.joined(separator: " "),
                    ours: order.joined(separator: " ")
                )
            )
        }
    }

    private mutating func note(_ path: String, _ theirs: JSON?, _ ours: JSON?) {
        differences.append(Difference(path: path, theirs: theirs?.text, ours: ours?.text))
    }

    /// Whether two times differ by more than the digits that one of them lacks.
    private func isLater(_ theirs: JSON, _ ours: JSON) -> Bool {
        guard case .string(let left) = theirs, case .string(let right) = ours, let first = Timestamp(left),
            let second = Timestamp(right)
        else { return theirs != ours }
        let digits = min(left.fractionDigits, right.fractionDigits, 6)
        let unit = (0..<(6 - digits)).reduce(Int64(1)) { unit, _ in unit * 10 }
        return first.microseconds.floored(to: unit) != second.microseconds.floored(to: unit)
    }
}

extension JSON {
    /// Whether it is a payload, which has a primary key or links.
    fileprivate var isRecord: Bool {
        guard case .object(let object) = self else { return false }
        return object["id"] != nil || object["links"] != nil
    }
}

extension String {
    /// How many digits stand behind a time's point.
    fileprivate var fractionDigits: Int {
        guard let point = firstIndex(of: ".") else { return 0 }
        return self[index(after: point)...].prefix { $0.isASCII && $0.isNumber }.count
    }
}

extension Int64 {
    fileprivate func floored(to unit: Int64) -> Int64 {
        let remainder = self % unit
        return self - (remainder < 0 ? remainder + unit : remainder)
    }
}
