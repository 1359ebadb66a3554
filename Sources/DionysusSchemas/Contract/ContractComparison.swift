import Dionysus

/// Which side has to understand the other when a contract changes.
package enum ContractCompatibility: String, Sendable, CaseIterable {
    /// Consumers of the new contract read messages of the old one.
    case backward
    /// Consumers of the old contract read messages of the new one.
    case forward
    /// Both.
    case full

    fileprivate var isForward: Bool { self != .backward }
    fileprivate var isBackward: Bool { self != .forward }
}

/// A difference between two contracts that breaks a consumer.
package struct BreakingChange: Sendable, Hashable, CustomStringConvertible {
    /// The topic, model and member.
    package let place: String
    /// What has changed.
    package let change: String

    package var description: String { "\(place): \(change)" }
}

extension Contract {
    /// The changes from an earlier contract to this one that break a consumer.
    /// - Parameters:
    ///   - earlier: The earlier contract.
    ///   - compatibility: Which consumers count.
    /// - Returns: The changes in the order of the topics; none if nothing breaks.
    package func breakingChanges(
        since earlier: Contract,
        for compatibility: ContractCompatibility
    ) -> [BreakingChange] {
        var comparison = ContractComparison(compatibility: compatibility)
        comparison.compareTopics(earlier, self)
        return comparison.changes
    }
}

private struct ContractComparison {
    let compatibility: ContractCompatibility
    var changes: [BreakingChange] = []

    init(compatibility: ContractCompatibility) { self.compatibility = compatibility }

    mutating func add(_ place: String, _ change: String) {
        let change = BreakingChange(place: place, change: change)
        // The same model may be a part of several.
        if !changes.contains(change) { changes.append(change) }
    }

    mutating func compareTopics(_ old: Contract, _ new: Contract) {
        let added = new.topics.filter { topic in !old.topics.contains { $0.name == topic.name } }
        for topic in old.topics {
            let place = "topic \(topic.name)"
            if let later = new.topics.first(where: { $0.name == topic.name }) {
                compare(topic, later, place)
            } else if compatibility.isForward {
                let renamed = added.filter { $0.models.map(\.name) == topic.models.map(\.name) }
                add(place, renamed.count == 1 ? "renamed to \(renamed[0].name)" : "removed")
            }
        }
    }

    private mutating func compare(_ old: Contract.Topic, _ new: Contract.Topic, _ place: String) {
        if old.encoding != new.encoding { add(place, "encoding changed from \(old.encoding) to \(new.encoding)") }
        comparePartitionKeys(old.partitionKey, new.partitionKey, place)
        compareModels(old.models, new.models) { "\(place), model \($0)" }
        for (model, later) in common(old.models, new.models, by: \.name)
        where model.partitionKey != nil || later.partitionKey != nil {
            let (key, laterKey) = (model.partitionKey ?? old.partitionKey, later.partitionKey ?? new.partitionKey)
            comparePartitionKeys(key, laterKey, "\(place), model \(model.name)")
        }
    }

    private mutating func comparePartitionKeys(
        _ old: Contract.PartitioningKey,
        _ new: Contract.PartitioningKey,
        _ place: String
    ) {
        guard old != new else { return }
        add(place, "partition key changed from \(old) to \(new)")
    }

    private mutating func compareModels(
        _ old: [Contract.Model],
        _ new: [Contract.Model],
        place: (String) -> String
    ) {
        if compatibility.isForward {
            for name in old.map(\.name) where !new.contains(where: { $0.name == name }) { add(place(name), "removed") }
        }
        for (model, later) in common(old, new, by: \.name) { compare(model, later, place(model.name)) }
    }

    private mutating func compare(_ old: Contract.Model, _ new: Contract.Model, _ place: String) {
        if old.key.name != new.key.name { add(place, "key changed from \(old.key.name) to \(new.key.name)") }
        if old.key.type != new.key.type {
            add(place, "key's type changed from \(old.key.type) to \(new.key.type)")
        }
        compareAttributes(old.attributes, new.attributes, place)
        compareLinks(old, new, place)
        compareModels(old.parts, new.parts) { "\(place), with \($0)" }
        compareEvents(old.events, new.events, place)
    }

    /// A reader reads old versions by its upcasts, which are not published: only what nobody can read breaks.
    private mutating func compareEvents(_ old: [Contract.Event], _ new: [Contract.Event], _ place: String) {
        for event in old {
            let place = "\(place), event \(event.name)"
            guard let later = new.first(where: { $0.name == event.name }) else {
                if compatibility.isBackward { add(place, "removed, and old messages have it") }
                continue
            }
            if later.version > event.version {
                if compatibility.isForward {
                    add(place, "raised from version \(event.version) to \(later.version), which is unknown there")
                }
            } else if later.version < event.version {
                if compatibility.isBackward { add(place, "lowered from version \(event.version) to \(later.version)") }
            } else if let old = event.attributes, let new = later.attributes {
                compareAttributes(old, new, place)
            }
        }
        guard compatibility.isForward, !old.isEmpty else { return }
        for event in new where !old.contains(where: { $0.name == event.name }) {
            add("\(place), event \(event.name)", "added, and is unknown there")
        }
    }

    private mutating func compareAttributes(
        _ old: [Contract.Attribute],
        _ new: [Contract.Attribute],
        _ place: String
    ) {
        for attribute in old {
            let place = "\(place), attribute \(attribute.name)"
            guard let later = new.first(where: { $0.name == attribute.name }) else {
                if compatibility.isForward { add(place, "removed") }
                continue
            }
            compareValues(attribute.value, later.value, place)
        }
        guard compatibility.isBackward else { return }
        for attribute in new
        where !attribute.value.isNullable && !old.contains(where: { $0.name == attribute.name }) {
            add(
                "\(place), attribute \(attribute.name)",
                "added, and old messages don't have it though it isn't nullable"
            )
        }
    }

    private mutating func compareValues(_ old: ContractValue, _ new: ContractValue, _ place: String) {
        guard old.type == new.type else {
            // A consumer that takes any document takes a value of any type.
            if compatibility.isForward && old.type != .json || compatibility.isBackward && new.type != .json {
                add(place, "type changed from \(old.type) to \(new.type)")
            }
            return
        }
        if compatibility.isForward { addNarrowing(place, of: new, readAs: old, "made nullable", "new") }
        if compatibility.isBackward { addNarrowing(place, of: old, readAs: new, "no longer nullable", "old") }
        if let (old, new) = old.element.flatMap({ old in new.element.map { (old, $0) } }) {
            compareValues(old, new, "\(place), elements")
        }
    }

    /// Adds what the reader's value leaves out of the writer's.
    private mutating func addNarrowing(
        _ place: String,
        of written: ContractValue,
        readAs read: ContractValue,
        _ nullability: String,
        _ messages: String
    ) {
        if written.isNullable, !read.isNullable { add(place, nullability) }
        if let scale = read.scale, (written.scale ?? .max) > scale {
            let digits = written.scale.map { "\($0) digits" } ?? "any number of digits"
            add(place, "\(messages) messages have \(digits) behind the point, where \(scale) are read")
        }
        guard let values = read.values else { return }
        guard let possible = written.values else { return add(place, "\(messages) messages may have any value") }
        let unknown = possible.filter { !values.contains($0) }
        guard !unknown.isEmpty else { return }
        add(place, "\(messages) messages may have \(unknown.map(\.text).joined(separator: ", "))")
    }

    private mutating func compareLinks(_ old: Contract.Model, _ new: Contract.Model, _ place: String) {
        for link in old.links {
            let place = "\(place), link \(link.name)"
            guard let later = new.links.first(where: { $0.name == link.name }) else {
                if compatibility.isForward { add(place, "removed") }
                continue
            }
            if link.isToMany != later.isToMany {
                add(place, "leads to \(later.isToMany ? "many instead of one" : "one instead of many")")
            }
            // A link that can lead to several models names the model beside the id.
            if (link.models.count > 1) != (later.models.count > 1) {
                add(place, "leads to \(later.models.list) instead of \(link.models.list)")
            } else if link.models.count == 1, later.models.count == 1, link.models != later.models {
                add(place, "leads to \(later.models.list) instead of \(link.models.list)")
            }
        }
    }

    private func common<Element>(
        _ old: [Element],
        _ new: [Element],
        by name: KeyPath<Element, String>
    ) -> [(Element, Element)] {
        old.compactMap { element in
            new.first { $0[keyPath: name] == element[keyPath: name] }.map { (element, $0) }
        }
    }
}

extension [String] {
    fileprivate var list: String { isEmpty ? "what is computed" : joined(separator: " or ") }
}

extension Contract.PartitioningKey: CustomStringConvertible {
    package var description: String {
        switch self {
        case .messageKey: "the message key"
        case .attribute(let name): name
        case .computed(let attributes):
            attributes.isEmpty ? "a computation" : "a computation on \(attributes.joined(separator: ", "))"
        }
    }
}

extension ContractType: CustomStringConvertible {
    package var description: String { rawValue }
}
