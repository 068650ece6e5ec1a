from serving.wire.model_list import ServedModel, model_list


def test_a_model_is_listed_with_its_context() -> None:
    model = ServedModel(
        name="m",
        owner="us",
        created_s=5,
        context_window=4096,
        max_completion_tokens=4095,
    )
    assert model_list([model]) == {"object": "list", "data": [model.body()]}
    told = model.body()
    assert (told["id"], told["object"], told["owned_by"]) == ("m", "model", "us")
    assert told["active"]
    assert (told["context_window"], told["max_completion_tokens"]) == (4096, 4095)
