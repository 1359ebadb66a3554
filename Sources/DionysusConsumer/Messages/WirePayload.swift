import Dionysus

extension JSON {
    /// The payloads of an event: a list, or one that stands alone.
    var payloads: [JSON]? {
        switch self {
        case .array(let payloads): payloads
        case .object: [self]
        default: nil
        }
    }
}

extension ConsumedMessage {
    /// Whether it has no value, or what dionysus-rb sends in the place of none: the four characters `null`.
    var isTombstone: Bool { value?.elementsEqual("null".utf8) ?? true }
}
