import Dionysus

/// A batch while it is being bound: the replicas and records that it touches so far get their numbers here.
struct BatchDraft {
    var batch = BoundBatch()
    private var numbers: [[DatabaseValue: Int]] = []
    private var layoutNumbers: [String: Int] = [:]
    private var bindings: [[ObjectIdentifier: ShapeBinding]] = []
    /// The models whose events the batch hands over to closures of the application.
    private var delegatedModels: Set<String> = []

    /// Whether events of one of the models have been handed over, so that their records have to be written after that.
    func handsOver(_ models: @autoclosure () -> Set<String>) -> Bool {
        !delegatedModels.isEmpty && !models().isDisjoint(with: delegatedModels)
    }

    /// Adds what was bound of a message.
    mutating func add(_ events: [BoundEvent], _ delegated: [DelegatedEvent]) {
        batch.events += events
        guard !delegated.isEmpty else { return }
        batch.delegated += delegated
        delegatedModels.formUnion(delegated.map(\.kind.model))
    }

    func table(_ layout: Int) -> ReplicaTable { batch.layouts[layout].table }

    /// The number of a model's replica in the batch, or nil for a model that is not kept.
    mutating func layout(of model: String, in replicas: Replicas) -> Int? {
        if let number = layoutNumbers[model] { return number }
        guard let table = replicas.tables[model] else { return nil }
        // Several names may stand for one table: `Crm::Contact`, and `CrmContact` where only a link names it.
        if table.declaration.isConventional,
            let number = batch.layouts.firstIndex(where: {
                $0.table.declaration.isConventional && $0.table.name == table.name
            })
        {
            layoutNumbers[model] = number
            return number
        }
        layoutNumbers[model] = batch.layouts.count
        batch.layouts.append(Layout(table))
        batch.ids.append([])
        numbers.append([:])
        bindings.append([:])
        return batch.layouts.count - 1
    }

    /// How payloads of a shape are written to a replica.
    mutating func binding(of shape: RecordShape, _ layout: Int) -> ShapeBinding {
        let key = ObjectIdentifier(shape)
        if let binding = bindings[layout][key] { return binding }
        let binding = ShapeBinding(shape, &batch.layouts[layout])
        bindings[layout][key] = binding
        return binding
    }

    /// The number of a record among those of a replica that the batch touches.
    mutating func number(of id: DatabaseValue, _ layout: Int) -> Int {
        if let number = numbers[layout][id] { return number }
        let number = batch.ids[layout].count
        numbers[layout][id] = number
        batch.ids[layout].append(id)
        return number
    }
}
